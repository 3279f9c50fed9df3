"""`ingestctl watch` in a real terminal: what it shows, what keys do, and that the terminal is given back as it was."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ingestd.ctl import words
from tests.integration.terminal_case import (
    CTL,
    Good,
    ctl,
    flat,
    good_device,
    in_memory,
    status_on_screen,
    wait_in_the_room,
    wait_shown,
)
from tests.rig.process import wait_until
from tests.rig.terminal import Terminal
from tests.standin.client import StandIn


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Good]:
    with good_device(tmp_path_factory.mktemp("good")) as device:
        yield device


def test_watch_shows_levels_counters_people_and_messages(good: Good) -> None:
    with ctl(good.socket, "watch", columns=100, lines=40) as watch:
        wait_shown(watch, "IN THE ROOM", "to the room", "from the room", "nothing has happened", "q quit")
        watch.wait(lambda seen: any(map(is_loud, seen)), "a bar: the device in memory is loud")

        def happens() -> None:
            good.room.publish(good.alice, "CHAT", "hello\x1b[2J \x9b31m device\x07")
            good.room.publish(good.alice, "OTHER", "not for us")
            good.room.remove(good.room.add("Bob \x1b]0;owned\x07"))

        told = "[CHAT] Alice: hello?[2J ?31m device?", "Bob ?]0;owned? is in the room", "has left"
        seen = wait_shown(watch, *told, again=happens)
        assert "not for us" not in seen
        assert b"\x1b[2J \x9b" not in watch.output
        assert b"\x1b]0" not in watch.output

        def frames() -> int:
            counted = next(each for each in watch.screen() if each.startswith("frames"))
            return int(counted.split()[1].replace(",", ""))

        before = frames()
        watch.wait(lambda _seen: frames() > before + 50, "frames that count up")


def is_loud(line: str) -> bool:
    bar = line.startswith("microphone") and line.count("█") > 30
    return bar and re.search(r"-\d+\.\d dBFS {2}peak ", line) is not None


def test_a_key_that_is_held_down_holds_up_nothing(good: Good) -> None:
    with ctl(good.socket, "watch") as watch:
        wait_shown(watch, "IN THE ROOM")
        pictures = [watch.screen()]

        def goes_on(now: list[str]) -> bool:
            watch.type("x")  # held down to the end
            time.sleep(0.02)
            if now != pictures[-1]:
                pictures.append(now)
            return len(pictures) > 10

        watch.wait(goes_on, "picture after picture")


def test_other_topics_are_shown_where_they_are_asked_for(good: Good) -> None:
    with ctl(good.socket, "watch", "--topic", "OTHER", "--topic", "x" * 200) as watch:
        wait_shown(watch, "IN THE ROOM", "topic is to be a text of 1 to 128 characters (xxx")
        good.room.publish(good.alice, "CHAT", "not asked for")

        def heard(seen: list[str]) -> bool:
            good.room.publish(good.alice, "OTHER", "asked for")  # the room is told of a topic only by and by
            return any("[OTHER] Alice: asked for" in line for line in seen)

        seen = watch.wait(heard, "a message on a topic of its own")
        assert "not asked for" not in " ".join(seen)


def test_m_mutes_and_unmutes_loudly(good: Good) -> None:
    with ctl(good.socket, "watch") as watch:
        wait_shown(watch, "IN THE ROOM")
        press_m(watch, lambda said: f" {words.MUTED} " in said and words.MUTED_REMEDY in said, "the mute")
        said = status_on_screen(good.socket, 0)
        assert f"{words.MUTED} {words.MUTED_REMEDY}" in said
        press_m(watch, lambda said: words.MUTED not in said, "the microphone again")
    assert not good.device.status()["uplink"]["muted"]


def press_m(watch: Terminal, holds: Callable[[str], bool], what: str) -> None:
    """And again where it was told that the daemon, which was late just then, did not hear of it."""
    refused = str(watch.screen()).count("no ingestd answers")
    watch.type("m")

    def held(seen: list[str]) -> bool:
        nonlocal refused
        if holds(flat(" ".join(seen))):
            return True
        if (now := str(seen).count("no ingestd answers")) > refused:
            refused = now
            watch.type("m")
        return False

    watch.wait(held, what)


@pytest.mark.parametrize("size", [(200, 50), (90, 50), (40, 10), (12, 3)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_watch_follows_the_windows_size(good: Good, size: tuple[int, int]) -> None:
    with ctl(good.socket, "watch", columns=90, lines=30) as watch:
        wait_in_the_room(watch)
        wait_shown(watch, "q quit")
        columns, lines = size
        tty = Path(f"/proc/{watch.process.pid}/fd/1")

        def scribbled(seen: list[str]) -> bool:
            if "scribbled" in " ".join(seen):
                return True
            tty.write_bytes(b"\x1b[4;5Hscribbled")  # as a window that grows may show; a picture may be drawn over it
            return False

        def drawn(seen: list[str]) -> bool:
            whole = seen[0].startswith(" IN THE ROO") and seen[-1].startswith(" q quit")
            return whole and len(seen) == lines and "scribbled" not in " ".join(seen)

        watch.wait(scribbled, "scribbled")
        watch.resize(columns, lines)
        watch.wait(drawn, "it all, and nothing else")


END: dict[str, tuple[str | signal.Signals, int]] = {
    "q": ("q", 0),
    "ctrl-c": ("\x03", 130),
    "term": (signal.SIGTERM, 143),
    "hup": (signal.SIGHUP, 129),
}


@pytest.mark.parametrize("how", END)
def test_whichever_way_watch_ends_the_terminal_is_as_it_was(good: Good, how: str) -> None:
    press, expected = END[how]
    with ctl(good.socket, "watch") as watch:
        before = Terminal(["true"]).settings()
        watch.wait_for("IN THE ROOM")
        assert watch.alternate
        assert watch.settings() != before
        if isinstance(press, str):
            watch.type(press)
        else:
            os.kill(watch.process.pid, press)
        assert watch.status() == expected
        is_as_it_was(watch, before)
        assert watch.text == ""


def is_as_it_was(terminal: Terminal, settings: list[Any]) -> None:
    assert not terminal.alternate
    assert terminal.settings() == settings
    assert terminal.output.rindex(b"\x1b[?25h") > terminal.output.rindex(b"\x1b[?25l"), "the cursor is seen"
    assert terminal.output.rindex(b"\x1b[?7h") > terminal.output.rindex(b"\x1b[?7l"), "long lines are wrapped"


def test_after_a_bug_too(good: Good) -> None:
    program = "import sys; from ingestd.ctl import main, watch; watch.view = lambda *_: 1 / 0; sys.exit(main.main())"
    with Terminal([sys.executable, "-c", program, "--socket", good.socket, "watch"]) as watch:
        assert watch.status() == 1
        assert "ZeroDivisionError" in watch.text
        is_as_it_was(watch, Terminal(["true"]).settings())


@pytest.mark.parametrize("stop", ["\x1a", signal.SIGSTOP], ids=["ctrl-z", "stop"])
def test_it_can_be_suspended_and_comes_back(good: Good, stop: str | signal.Signals) -> None:
    with Terminal(["bash", "--norc", "-i"], env={"PS1": "prompt> ", "HISTFILE": ""}) as shell:
        shell.wait_for("prompt>")
        shell.type(" ".join([*CTL, "--socket", str(good.socket), "watch; echo ended as $''?\r"]))
        shell.wait_for("IN THE ROOM")
        if isinstance(stop, str):
            shell.type(stop)
            shell.wait_for("Stopped")
            assert not shell.alternate
        else:
            os.kill(child_of(shell.process.pid), stop)
            wait_until(lambda: b"Stopped" in shell.output, 20, "the shell to say so")
        shell.type("fg\r")
        shell.wait(lambda seen: shell.alternate and seen[0].startswith(" IN THE ROOM"), "the screen again")
        shell.type("q")
        shell.wait(lambda _seen: not shell.alternate, "the shell's screen")
        shell.type("echo $((6 * 7))\r")
        shell.wait_for("\n42")


def child_of(pid: int) -> int:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert len(children) == 1
    return int(children[0])


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"PYTHONIOENCODING": "ascii"}], ids=["no-color", "ascii"])
def test_watch_without_colours_or_unicode(good: Good, environment: dict[str, str]) -> None:
    with ctl(good.socket, "watch", env=environment) as watch:
        wait_shown(watch, "IN THE ROOM", "dBFS", "████" if "NO_COLOR" in environment else "####")
        if "NO_COLOR" in environment:
            assert re.search(rb"\x1b\[[0-9;]*[1-9][0-9;]*m", watch.output) is None
        else:
            assert watch.output.isascii()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("watch",), "ingestctl --json status"),
        (("--json", "watch"), "ingestctl --json status"),
    ],
)
def test_watch_needs_a_terminal(good: Good, command: tuple[str, ...], says: str) -> None:
    done = subprocess.run(
        [*CTL, "--socket", good.socket, *command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ingestctl: ")
    assert says in done.stderr
    with ctl(good.socket, "watch", env={"TERM": "dumb"}) as watch:
        assert watch.status() == 1
        assert flat(watch.text).endswith("use ingestctl status")


def test_the_daemon_goes_hangs_and_comes_back(tmp_path: Path) -> None:
    with ExitStack() as lives:
        room = lives.enter_context(StandIn(tls=True))  # of its own: in another's it would take turns with its twin
        first = lives.enter_context(in_memory(tmp_path, room))
        watch = lives.enter_context(ctl(first.socket, "watch", columns=100, lines=40))
        wait_in_the_room(watch)
        first.process.send_signal(signal.SIGSTOP)
        wait_shown(watch, "NO ANSWER", "hangs", "journalctl -u ingestd")
        first.process.send_signal(signal.SIGCONT)
        wait_in_the_room(watch)
        assert first.stop()["exit"] == 0
        wait_shown(watch, "NO ANSWER", str(first.socket), "systemctl status ingestd", "is of before")
        lives.enter_context(in_memory(tmp_path, room))
        wait_in_the_room(watch)
        watch.type("q")
        assert watch.status() == 0
