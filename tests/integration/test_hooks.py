"""Handlers run by the room's messages: who may, once, in time, with an answer. One room serves them all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ingestd.control.client import ControlClient
from ingestd.hooks.pool import WAITING
from ingestd.hooks.replyrate import BURST
from ingestd.hooks.signature import sign
from ingestd.hooks.strays import MARK
from tests.rig.hooks_program import HooksProgram, alive, append_to, lines_of
from tests.rig.hooks_scene import SECRET, HooksScene, hooks_scene
from tests.rig.process import wait_until

GUARD_S = 30.0
GONE_S = 2.0
MANY = 40


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HooksScene]:
    with hooks_scene(tmp_path_factory.mktemp("hooks")) as scene:
        yield scene


def test_it_reads_the_message_as_one_line_of_json(scene: HooksScene) -> None:
    said = scene.room.publish(scene.alice, "DOOR", "ünlock \n it")
    (given,) = scene.wait_ran("door", 1)
    assert given == {
        "topic": "DOOR",
        "text": "ünlock \n it",
        "sender_id": scene.alice,
        "sender_name": "Alice",
        "timestamp": said.timestamp,
        "id": said.id,
    }


def test_it_is_not_run_for_a_sender_that_is_not_allowed(scene: HooksScene) -> None:
    before = len(scene.ran("door"))
    for number in range(20):
        scene.say("DOOR", f"open {number}", scene.mallory)
    scene.settle()
    assert len(scene.ran("door")) == before
    assert scene.ran("nobody") == [], "an empty list is nobody"
    refused = "(topic DOOR): refused a message of Mallory"
    assert scene.hooks.log.count(refused) == 2, "once for each handler, however often"


def test_a_signature_lets_a_message_in_once(scene: HooksScene) -> None:
    now_s = int(time.time())

    def signed(data: str, nonce: str, ts_s: int = now_s, topic: str = "SIGNED", secret: str = SECRET) -> dict[str, Any]:
        return {"data": data, "ts": ts_s, "nonce": nonce, "hmac": sign(topic, ts_s, nonce, data, secret)}

    good = signed("open", "first")
    scene.say("SIGNED", good)
    scene.say("SIGNED", good)  # another message, with another id, in the same words
    scene.say("SIGNED", {**good, "data": "open all"})
    scene.say("SIGNED", signed("open", "second", topic="DOOR"))
    scene.say("SIGNED", signed("open", "third", ts_s=now_s - 400))
    scene.say("SIGNED", signed("open", "fourth", secret=SECRET[::-1]))
    scene.say("SIGNED", "open")
    scene.say("SIGNED", signed("open", "fifth"), scene.mallory)
    scene.settle()
    scene.wait_ran("signed", 1)
    for why in ("its nonce was used", "its hmac does not match", "it is not signed", "signed 40", "allow_senders"):
        assert why in scene.hooks.log
    assert SECRET not in scene.hooks.log

    (scene.folder / "secret").write_text(SECRET[::-1])
    scene.say("SIGNED", signed("with another secret", "sixth", secret=SECRET[::-1]))
    scene.wait_ran("signed", 2)  # of one sender, in order: whatever else was let in has run before
    assert [one["text"] for one in scene.ran("signed")] == ["open", "with another secret"], "the file is read anew"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_the_recipe_of_the_documentation_signs(scene: HooksScene) -> None:
    (scene.folder / "secret").write_text(SECRET)
    recipe = """
    data='open "it"' ts=$(date +%s) nonce=$(openssl rand -hex 16)
    printf 'SIGNED\\n%s\\n%s\\n%s' "$ts" "$nonce" "$data" | openssl dgst -sha256 -r -hmac "$(cat secret)" | cut -c -64
    echo "$ts $nonce $data"
    """
    out = subprocess.run(["sh", "-ec", recipe], cwd=scene.folder, capture_output=True, text=True, check=True).stdout
    code, rest = out.splitlines()
    ts, nonce, data = rest.split(" ", 2)
    before = len(scene.ran("signed"))
    scene.say("SIGNED", {"data": data, "ts": int(ts), "nonce": nonce, "hmac": code})
    assert scene.wait_ran("signed", before + 1)[-1]["text"] == 'open "it"'


def test_each_message_runs_once_over_renewals_replays_and_restarts(scene: HooksScene) -> None:
    scene.say("ONCE", "one")
    scene.say("FRESH", "one")
    scene.wait_ran("once", 1)
    scene.wait_ran("fresh", 1)
    scene.room.configure(replay_history=True)
    try:
        with ControlClient(scene.device.socket) as client:
            joined = scene.joined()
            client.call("reconnect")
            scene.room.wait_joined(joined + 1)
        scene.settle()
        scene.restart_device()  # which forgets what it has passed on
        scene.settle()
        scene.restart_hooks()
        scene.settle()
        scene.restart_device()
        scene.say("ONCE", "two")
        scene.settle()
        scene.wait_ran("once", 2)
    finally:
        scene.room.configure(replay_history=False)
    assert [one["text"] for one in scene.ran("once")] == ["one", "two"]
    assert [one["text"] for one in scene.ran("fresh")] == ["one"]


def test_a_replay_is_too_old_even_where_no_id_is_known(scene: HooksScene) -> None:
    before = len(scene.ran("fresh"))
    scene.say("FRESH", "two")
    scene.wait_ran("fresh", before + 1)
    time.sleep(4.1)
    scene.room.configure(replay_history=True)
    try:
        scene.hooks.stop()
        (scene.folder / "seen.json").unlink()
        once, fresh = len(scene.ran("once")), len(scene.ran("fresh"))
        scene.hooks = HooksProgram(scene.folder / "ingestd.yaml", scene.folder)
        scene.restart_device()
        scene.settle()
    finally:
        scene.room.configure(replay_history=False)
    scene.wait_ran("once", once + 1)  # for any age, only the file could have told
    assert len(scene.ran("fresh")) == fresh
    assert "this handler's max_age_s is 4" in scene.hooks.log


def test_what_it_prints_is_published(scene: HooksScene) -> None:
    for topic in ("ECHO", "SHOUT", "LONG"):
        scene.room.subscribe(scene.alice, topic)
    scene.say("ECHO", {"hello": ["wörld"]}, scene.mallory)
    scene.say("SHOUT", "", scene.mallory)
    scene.say("LONG", "", scene.mallory)

    def replies(topic: str) -> list[str]:
        messages = scene.room.messages(scene.alice)
        return [message.message for message in messages if message.topic == topic and message.sender_id == "device"]

    wait_until(lambda: replies("ECHO") and replies("SHOUT"), GUARD_S, "the replies")
    assert json.loads(json.loads(replies("ECHO")[0])["text"]) == {"hello": ["wörld"]}
    assert replies("SHOUT") == ['{"on": true}'], "JSON stays text, and the line's end is not sent"
    scene.hooks.wait_for("its reply is longer than messaging.max_bytes")
    scene.hooks.wait_for("to the log")
    assert replies("LONG") == []


def test_replies_arrive_in_order_and_no_flood_of_them(scene: HooksScene) -> None:
    scene.room.subscribe(scene.alice, "ECHO")
    for number in range(MANY):
        scene.say("ECHO", f"number {number}", scene.mallory)

    def replies() -> list[int]:
        messages = scene.room.messages(scene.alice)
        echoes = [one.message for one in messages if (one.topic, one.sender_id) == ("ECHO", "device")]
        return [int(text.split()[1]) for echo in echoes if "number" in (text := json.loads(echo)["text"])]

    scene.hooks.wait_for("do two devices answer each other?")
    few = BURST - 1  # one went before, in the test above
    wait_until(lambda: len(replies()) >= few, GUARD_S, "the replies")
    published = replies()  # read once: one more may go each second
    assert published[:few] == list(range(few))
    assert published == sorted(set(published))
    assert len(published) < MANY


def test_it_is_ended_in_time_with_its_children(scene: HooksScene) -> None:
    path = scene.folder / "pids"

    def told() -> list[str]:
        scene.say("SLOW", "")  # again, where a run was ended before it came to tell them
        with contextlib.suppress(TimeoutError):
            wait_until(lambda: lines_of(path), 5.0, "its processes")
        return lines_of(path)

    pids = [int(word) for word in wait_until(told, GUARD_S, "its processes")[0].split()]
    assert len(pids) == 2
    scene.hooks.wait_for("ran for longer than its timeout_s of 2")
    wait_until(lambda: not any(alive(pid) for pid in pids), GUARD_S, "the end of both")


def test_what_fails_is_told(scene: HooksScene) -> None:
    scene.say("FAIL", "")
    scene.say("ABSENT", "")
    scene.hooks.wait_for("(topic FAIL): ended with exit status 3")
    scene.hooks.wait_for("/nowhere/program (topic ABSENT): can't be started: No such file or directory")
    assert "bad ?[2J news" in scene.hooks.log
    assert "\x1b" not in scene.hooks.log


def test_its_environment_is_minimal(scene: HooksScene) -> None:
    scene.say("ENV", "")
    wait_until(lambda: len(lines_of(scene.folder / "env")) >= 4, GUARD_S, "the environment")
    names = {line.partition("=")[0] for line in lines_of(scene.folder / "env")}
    assert names <= {"PATH", "LANG", "PWD", "OLDPWD", "SHLVL", "_", "/", MARK}
    assert "PATH" in names


def test_a_flood_is_bounded_and_what_is_dropped_is_told(scene: HooksScene) -> None:
    for number in range(1000):
        scene.say("FLOOD", str(number))
    scene.settle()
    assert scene.ran("flood") == []
    (scene.folder / "gate").touch()
    ran = scene.wait_ran("flood", 1 + WAITING)
    scene.settle()
    assert len(scene.ran("flood")) == 1 + WAITING
    numbers = [int(one["text"]) for one in ran]
    assert numbers[:10] == list(range(10))
    assert numbers == sorted(set(numbers)), "of one sender, in order"
    told = [line for line in scene.hooks.log.splitlines() if f"(topic FLOOD): {WAITING} runs wait" in line]
    assert len(told) == 1, told


def test_a_bad_configuration_changes_nothing_and_a_good_one_does(scene: HooksScene) -> None:
    hooks = scene.config["hooks"]
    (scene.folder / "ingestd.yaml").write_text("hooks: [{topic: X}]")
    scene.hooks.reload("the handlers stay as they are")
    scene.hooks.wait_for("hooks[0].exec")  # the faults follow, a line each
    scene.settle()
    scene.write_config([*hooks, {"topic": "NEW", "exec": append_to(scene.folder / "new")}])
    scene.hooks.reload("the configuration was read anew")

    def said() -> bool:
        scene.say("NEW", "hello")
        return bool(scene.ran("new"))

    wait_until(said, GUARD_S, "the new handler", every=0.05)
    scene.write_config([])
    scene.hooks.reload("the configuration was read anew: 0 handlers")
    assert scene.hooks.process.poll() is None, "with nothing to do it waits"
    scene.write_config(hooks)
    scene.hooks.reload("the configuration was read anew")
    scene.listening()


@pytest.mark.alone  # it takes one second and may take two
def test_it_ends_within_two_seconds_and_its_programs_with_it(scene: HooksScene) -> None:
    def runs() -> bool:
        scene.say("STUBBORN", "")  # until it is heard: the room is told of topics one after the other
        return bool(lines_of(scene.folder / "stubborn"))

    wait_until(runs, GUARD_S, "the program", every=0.1)
    pid = int(lines_of(scene.folder / "stubborn")[0])
    assert alive(pid)
    took_s = scene.hooks.stop()
    assert took_s <= GONE_S
    wait_until(lambda: not alive(pid), GUARD_S, "the end of the program")  # which was killed
    scene.hooks = HooksProgram(scene.folder / "ingestd.yaml", scene.folder)
    scene.listening()


def test_state_handlers_hear_of_it_in_order(scene: HooksScene) -> None:
    states = ("connected", "disconnected", "device-lost")
    program = append_to(scene.folder / "states")
    scene.write_config([*scene.config["hooks"], *({"state": state, "exec": program} for state in states)])
    scene.hooks.reload("the configuration was read anew")
    with ControlClient(scene.device.socket) as client:
        client.call("hangup")
        scene.wait_ran("states", 1)
        joined = scene.joined()
        client.call("call")
        scene.room.wait_joined(joined + 1)
    scene.wait_ran("states", 2)
    os.kill(scene.device.process.pid, signal.SIGKILL)
    scene.device.process.wait()
    gone = scene.wait_ran("states", 3)[2]
    scene.config["hooks"] = [*scene.config["hooks"], *({"state": state, "exec": program} for state in states)]
    scene.start_device()
    events = [one["event"] for one in scene.wait_ran("states", 4)]
    assert events == ["disconnected", "connected"] * 2
    assert gone == {
        "event": "disconnected",
        "state": None,
        "reason": "ingestd does not answer on its control socket",
        "epoch": None,
        "detail": None,
    }
    assert "ingestd answers on" in scene.hooks.log
