// The vendor page's own Node.js example, as a contender of the bench.
//
//     node node.js WS_URL AUDIO.pcm
//
// From the page, unchanged: everything between the two marks below. Adapted: its source (a file, over and over), its
// sink (counts and drops), `require` in place of `import` (NODE_PATH serves nothing else), and that SIGTERM ends it,
// upon which it prints how many media frames it heard.
"use strict";
const fs = require("fs");
const WebSocket = require("ws");

const [wsUrl, sourcePath] = process.argv.slice(2);
const source = fs.readFileSync(sourcePath);
let at = 0;
let heard = 0;

function getPcm16Frame() {
  const frame = source.subarray(at, at + 320);
  at = (at + 320) % source.length;
  return frame;
}

function playPcm16(pcm16) {
  heard += pcm16.length === 320 ? 1 : 0;
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
  }
});

// 3. End the session when you are done.
function stop() {
  ws.send(JSON.stringify({ event: "stop" }));
  ws.close();
}
// ---- end of what is from the page ----

process.on("SIGTERM", stop);
ws.on("close", () => console.log(`heard ${heard}`));
