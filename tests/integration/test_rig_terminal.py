"""The rig's terminal: what a program sees of it, and what is seen of the program."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.rig.process import wait_until
from tests.rig.terminal import Terminal

_PYTHON = sys.executable


def python(source: str, columns: int = 80) -> Terminal:
    return Terminal([_PYTHON, "-c", source], columns=columns)


def test_a_program_has_a_terminal_with_a_size_and_leaves_its_exit_status() -> None:
    source = "import os; print(os.isatty(0), os.get_terminal_size(), open('/dev/tty').isatty()); raise SystemExit(7)"
    with python(source, columns=100) as terminal:
        assert terminal.status() == 7
        assert terminal.screen()[0] == "True os.terminal_size(columns=100, lines=24) True"
        assert terminal.output.endswith(b"True\r\n")


def test_keys_interrupts_and_resizing_arrive() -> None:
    with Terminal(["sh", "-i"], env={"PS1": "> "}) as terminal:
        terminal.type("trap 'echo resized' WINCH; echo he''llo\r")
        terminal.wait_for("hello")
        terminal.resize(40, 10)
        terminal.type("stty size\r")
        terminal.wait_for("10 40")
        terminal.wait_for("resized")
        assert len(terminal.screen()) == 10
        terminal.type("sh -c 'echo u\"\"p; exec sleep 60'; echo $''?\r")
        terminal.wait_for("up")  # before, the shell's own child could take the interrupt and run on
        terminal.type("\x03")
        terminal.type("exit 3\r")
        assert terminal.status() == 3


def test_interrupts_arrive_though_these_tests_run_in_the_background() -> None:
    """A shell's background job ignores Ctrl-C, and so does whatever it starts."""
    this = f"{__file__}::{test_keys_interrupts_and_resizing_arrive.__name__}"
    in_background = 'trap "" INT; exec "$0" -m pytest -q -p no:cacheprovider "$1"'
    ran = subprocess.run(["sh", "-c", in_background, _PYTHON, this], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout


def test_the_alternate_screen_gives_back_what_was_there() -> None:
    source = r"print('before'); print('\033[?1049h\033[2J\033[Hinside', flush=True); input(); print('\033[?1049l')"
    with python(source) as terminal:
        assert terminal.wait_for("inside")[0] == "inside"
        assert terminal.alternate
        terminal.type("\r")
        assert terminal.status() == 0
        assert (terminal.screen()[0], terminal.alternate) == ("before", False)


def test_what_never_comes_is_told_with_the_screen() -> None:
    with python("print('something else')") as terminal, pytest.raises(AssertionError, match="something else"):
        terminal.wait_for("nothing")


def test_no_process_is_left_behind() -> None:
    with python("import signal, time; signal.signal(1, 1); print('up', flush=True); time.sleep(60)") as terminal:
        terminal.wait_for("up")
        pid = terminal.process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with Terminal(["bash", "-mc", "sleep 60 & echo $!; wait"]) as terminal:
        child = int(terminal.wait(lambda seen: seen[0], "the child's number")[0])
    wait_until(lambda: not os.path.exists(f"/proc/{child}"), 20, "the child's end")
