"""The manual pages: of commands, options, exit statuses and keys they say what the programs say, and can be read."""

from __future__ import annotations

import argparse
import gzip
import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from ingestd import __main__ as daemon
from ingestd.config import arguments
from ingestd.config.schema import SETTINGS
from ingestd.ctl import main as ctl
from ingestd.hooks import main as hooks
from ingestd.hooks.admission import FIELDS
from ingestd.hooks.signature import verified
from tests.drawings import broker_manpage
from tests.drawings.manpage import PAGE, drawn
from tests.unit.config_case import BACKEND, ConfigCase

REPO = Path(__file__).resolve().parents[2]
PAGES = sorted((REPO / "etc/man").iterdir())
PROGRAMS = {
    "ingestd.8": (daemon.main, arguments.parser("ingestd", "", "")),
    "ingestd-hooks.8": (hooks.main, arguments.parser("ingestd-hooks", "", "")),
    "ingestctl.1": (ctl.main, ctl.parser()),
}
CTL = ctl.parser()
COMMANDS: dict[str, argparse.ArgumentParser] = next(
    action.choices for action in CTL._actions if isinstance(action, argparse._SubParsersAction)
)
SECRET = "a secret of the two"

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
each_program = pytest.mark.parametrize("name", PROGRAMS)
needs_mandoc = pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is not installed")
needs_man = pytest.mark.skipif(shutil.which("man") is None, reason="man-db is not installed")


def source(name: str) -> str:
    """A page, its continued lines joined."""
    return (REPO / "etc/man" / name).read_text().replace("\\\n", "")


def section(name: str, title: str) -> str:
    """What stands below a heading of a page."""
    return re.split(r"^\.Sh .*$", source(name).split(f"\n.Sh {title}\n")[1], flags=re.MULTILINE)[0]


def commands() -> dict[str, str]:
    """Of each command its line and what stands below."""
    _, *parts = re.split(r"^\.It Ic ([a-z]+)", section("ingestctl.1", "COMMANDS"), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def options_in(text: str) -> list[tuple[str, str | None]]:
    """Every option with the name of its value, like ("--config", "FILE")."""
    return [(f"-{name}", value or None) for name, value in re.findall(r"\bFl (\S+)(?: (?:Oo )?Ar (\S+))?", text)]


def listed(text: str) -> list[tuple[str, str | None]]:
    """The options that are explained."""
    return options_in("\n".join(re.findall(r"^\.It (Fl .*)$", text, re.MULTILINE)))


def options_of(parser: argparse.ArgumentParser) -> list[tuple[str, str | None]]:
    """As `options_in` has them. What a value is called, where only some words are one, is the page's own affair."""
    found = [(name, action) for action in parser._actions for name in action.option_strings]
    return [(name, action.metavar if action.choices is None else "SCHEME") for name, action in found]  # type: ignore[misc] # a tuple only where nargs is a number


def shown(page: Path) -> str:
    """What a terminal of 80 columns shows, without bold and underlines."""
    command = ["mandoc", "-T", "utf8", "-O", "width=80", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return re.sub(".\b", "", done.stdout)


def displays(name: str) -> list[str]:
    """The literal examples of a page, as they would be typed."""
    found = re.findall(r"^\.Bd -literal.*\n((?:.*\n)*?)\.Ed$", (REPO / "etc/man" / name).read_text(), re.MULTILINE)
    plain = {"\\(aq": "'", "\\(dq": '"', "\\-": "-", "\\e": "\\"}
    return [re.sub(r"\\\(aq|\\\(dq|\\-|\\e", lambda escape: plain[escape[0]], text) for text in found]


def test_there_is_one_for_each_program_and_the_configuration() -> None:
    assert [page.name for page in PAGES] == sorted([*PROGRAMS, PAGE.name, broker_manpage.PAGE.name])


@each_program
def test_each_option_stands_in_its_page_and_no_other(name: str) -> None:
    parser = PROGRAMS[name][1]
    description = section(name, "DESCRIPTION")
    assert sorted(listed(description)) == sorted(options_of(parser))
    assert sorted(options_in(section(name, "SYNOPSIS"))) == sorted(options_of(parser))


def test_each_command_stands_in_the_page_and_no_other() -> None:
    assert list(commands()) == [command.name for command in ctl.COMMANDS]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_arguments_and_no_other(name: str) -> None:
    head, _, below = commands()[name].partition("\n")
    own = [option for option in options_of(COMMANDS[name]) if option not in options_of(CTL)]
    assert options_in(head) == own
    assert listed(below) == own
    words = re.findall(r"Ar (\S+)", re.sub(r"Fl \S+ (Oo )?Ar \S+", "", head))
    assert words == [action.metavar for action in COMMANDS[name]._actions if not action.option_strings]


def test_the_words_that_an_option_takes() -> None:
    for action in COMMANDS["setup"]._actions:
        for word in action.choices or ():
            assert re.search(rf"\b{word}\b", commands()["setup"])


@each_program
def test_each_exit_status_stands_in_the_page_and_no_other(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        PROGRAMS[name][0](["--help"])
    said = {int(number) for number in re.findall(r"\d+", capsys.readouterr().out.split("Exit status:")[1])}
    statuses = [int(number) for number in re.findall(r"^\.It (\d+)$", section(name, "EXIT STATUS"), re.MULTILINE)]
    assert statuses == sorted(said | {2})  # argparse's own, for wrong options


def test_the_page_of_the_configuration_is_what_the_definitions_say() -> None:
    assert PAGE.read_text() == drawn(), "run `python -m tests.drawings.manpage`"


def test_the_page_of_the_broker_is_what_its_definitions_say() -> None:
    assert broker_manpage.PAGE.read_text() == broker_manpage.drawn(), "run `python -m tests.drawings.broker_manpage`"


@needs_mandoc
def test_of_each_key_a_reader_sees_meaning_values_and_default() -> None:
    words = " ".join(shown(PAGE).split())
    for setting in SETTINGS:
        assert f" {setting.path} " in words
        assert setting.doc in words
        if not setting.group:
            default = setting.default
            said = f"{default:g}" if isinstance(default, float) else json.dumps(default)
            end = "Required." if setting.required else f"Default: {said}."
            assert f"{setting.type[1:]}. {end}" in words


@pytest.mark.parametrize("number", range(len(displays(PAGE.name))))
def test_each_example_of_a_configuration_can_be_used(tmp_path: Path, number: int) -> None:
    case = ConfigCase(tmp_path)
    case.write(displays(PAGE.name)[number], "conf.d/example.yaml")
    case.load(BACKEND)


def test_a_message_is_signed_as_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (script,) = [text for text in displays("ingestd-hooks.8") if "hmac=" in text]
    done = subprocess.run(
        ["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
    )
    assert verified("DOOR", done.stdout, SECRET, time.time()).data == "open"


def test_a_program_reads_what_the_page_says() -> None:
    (message,) = [text for text in displays("ingestd-hooks.8") if '"topic"' in text]
    assert tuple(json.loads(message)) == FIELDS


@each_page
def test_the_pages_that_are_named_are_there(page: Path) -> None:
    ours = {tuple(other.name.rsplit(".", 1)) for other in PAGES}
    named = set(re.findall(r"^\.Xr (\S+) (\d)", page.read_text(), re.MULTILINE))
    assert {one for one in named if one[0].startswith("ingest")} <= ours


def test_the_units_name_pages_that_are_there() -> None:
    for unit in (REPO / "systemd").glob("*.service"):
        named = re.findall(r"man:(\S+)\((\d)\)", unit.read_text())
        assert named
        for name, number in named:
            assert (REPO / f"etc/man/{name}.{number}").is_file()


@needs_mandoc
@each_page
def test_it_is_well_formed_and_fits_a_terminal(page: Path) -> None:
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True)
    assert (lint.returncode, lint.stdout + lint.stderr) == (0, "")
    assert [line for line in shown(page).splitlines() if len(line) > 80] == []


@needs_man
@each_page
def test_man_takes_it_without_a_warning(page: Path) -> None:
    command = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


def test_they_are_small() -> None:
    """Those that a device has."""
    pages = [page for page in PAGES if page != broker_manpage.PAGE]
    assert sum(len(gzip.compress(page.read_bytes(), 9)) for page in pages) < 16 * 1024
