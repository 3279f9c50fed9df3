"""Completion in a real bash: the file is what the parsers say, and completes commands, options, words and files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ingestd.ctl.main import COMMANDS
from tests.drawings.completion import FILE, completion

_COMPLETE = """\
source "$1"; shift
function=$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"$function"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completed(*words: str, folder: Path | None = None) -> list[str]:
    """What bash offers for the last of the words."""
    command = ["bash", "--norc", "-c", _COMPLETE, "bash", str(FILE), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30, cwd=folder)
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def test_the_file_is_what_the_parsers_say() -> None:
    assert FILE.read_text() == completion(), "run .venv/bin/python -m tests.drawings.completion"


def test_commands() -> None:
    assert completed("ingestctl", "") == [command.name for command in COMMANDS]
    assert completed("ingestctl", "dev") == ["devices"]
    assert completed("ingestctl", "--json", "dev") == ["devices"]
    assert completed("ingestctl", "--socket", "/x", "mu") == ["mute"]
    assert completed("ingestctl", "--socket", "=", "/x", "mu") == ["mute"]


def test_options() -> None:
    assert completed("ingestctl", "--so") == ["--socket"]
    assert completed("ingestctl", "devices", "--me") == ["--meter"]
    assert completed("ingestctl", "--json", "devices", "--meter", "--sec") == ["--seconds"]
    assert "--check" in completed("ingestd", "")
    assert completed("ingestd-hooks", "--conf") == ["--config"]


def test_words_of_an_option() -> None:
    assert completed("ingestctl", "setup", "--auth", "") == ["bearer", "raw"]
    assert completed("ingestctl", "setup", "--auth", "=", "r") == ["raw"]
    assert completed("ingestctl", "setup", "--auth", "=") == ["bearer", "raw"]


@pytest.mark.parametrize(
    "words", [("ingestctl", "setup", "--config"), ("ingestctl", "--socket"), ("ingestd", "--config")]
)
def test_files_where_a_path_is_wanted(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "a file.yaml").touch()
    (tmp_path / "b.yaml").touch()
    assert completed(*words, "a", folder=tmp_path) == ["a file.yaml"]


@pytest.mark.parametrize("words", [("publish", ""), ("setup", "--room", ""), ("devices", "--meter", "")])
def test_what_only_a_person_knows_is_left_alone(words: tuple[str, ...]) -> None:
    assert completed("ingestctl", *words) == []


BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
PROGRAMS = ("ingestctl", "ingestd", "ingestd-hooks")
_LOAD = """\
source "$1"
for program in "${@:2}"; do
    if declare -F _comp_load >/dev/null; then _comp_load "$program"; else _completion_loader "$program"; fi
    complete -p "$program"
done
"""


@pytest.mark.skipif(not BASH_COMPLETION.exists(), reason="bash-completion is not installed")
def test_bash_finds_it_by_the_name_of_each_program(tmp_path: Path) -> None:
    """It looks for a file of the program's name: the two others are links to it, as the package makes them."""
    folder = tmp_path / "completions"
    folder.mkdir()
    (folder / FILE.name).symlink_to(FILE)
    for program in PROGRAMS[1:]:
        (folder / program).symlink_to(FILE.name)
    found = subprocess.run(
        ["bash", "--norc", "-c", _LOAD, "bash", str(BASH_COMPLETION), *PROGRAMS],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "BASH_COMPLETION_USER_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    functions = [f"complete -F _{program.replace('-', '_')} {program}" for program in PROGRAMS]
    assert found.stdout.splitlines() == functions, found.stderr
