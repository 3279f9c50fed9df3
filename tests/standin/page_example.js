// The vendor page's own Node.js example, so that the stand-in is tried by a client that shares no code with it.
//
// From the page, unchanged: everything between the two marks below. Adapted: its source (`getPcm16Frame` reads a
// file frame by frame), its sink (`playPcm16` writes a file), `require` in place of `import` (NODE_PATH serves
// nothing else), and what a test needs to watch and end it.
//
//     node page_example.js WS_URL SOURCE.pcm HEARD.pcm TOPIC TEXT
//
// It publishes TEXT on TOPIC, prints the messages it receives, and stops when its standard input ends.
"use strict";
const fs = require("fs");
const WebSocket = require("ws");

const [wsUrl, sourcePath, heardPath, topic, text] = process.argv.slice(2);
const source = fs.readFileSync(sourcePath);
const heard = fs.openSync(heardPath, "w");
let at = 0;

function getPcm16Frame() {
  const frame = source.subarray(at, at + 320);
  at += 320;
  return frame.length === 320 ? frame : null;
}

function playPcm16(pcm16) {
  fs.writeSync(heard, pcm16);
}

// ---- from the page ----
const ws = new WebSocket(wsUrl);

ws.on("open", () => {
  // 1. Claim the session.
  ws.send(JSON.stringify({ event: "start" }));

  // 2. Stream audio. getPcm16Frame() returns a Buffer of 16-bit little-endian
  // PCM samples at 8 kHz mono. 320 bytes is one 20 ms frame.
  const timer = setInterval(() => {
    const pcm16 = getPcm16Frame(); // your audio source
    if (!pcm16) return;
    ws.send(JSON.stringify({ event: "media", payload: pcm16.toString("base64") }));
  }, 20);

  ws.on("close", () => clearInterval(timer));
});

// Receive room audio.
ws.on("message", (raw) => {
  const msg = JSON.parse(raw.toString());
  if (msg.event === "media") {
    const pcm16 = Buffer.from(msg.payload, "base64"); // 16-bit LE PCM, 8 kHz mono
    playPcm16(pcm16); // your playback or processing
  } else if (msg.event === "message") {
    console.log(`[${msg.topic}] ${msg.data.senderName}: ${msg.data.message}`);
  }
});

// 3. End the session when you are done.
function stop() {
  ws.send(JSON.stringify({ event: "stop" }));
  ws.close();
}
// ---- end of what is from the page ----

ws.on("open", () => {
  ws.send(JSON.stringify({ event: "subscribe", topic }));
});
ws.on("error", (error) => console.log(`error ${error.message}`));
ws.on("close", (code, reason) => {
  console.log(`closed ${code} ${reason}`);
  process.exit(0);
});
process.stdin.on("data", () => ws.send(JSON.stringify({ event: "message", topic, data: text })));
process.stdin.on("end", stop);
