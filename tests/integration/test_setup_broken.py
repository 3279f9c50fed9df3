"""ingestctl setup where something is wrong: it is named, with what helps, and nothing is changed."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from ingestd.config import load_config
from tests.integration.setup_case import NOTHING, Site
from tests.rig.process import wait_until
from tests.rig.terminal import Terminal

pytest_plugins = ("tests.integration.setup_fixtures",)

BROKEN: dict[str, tuple[dict[str, str], list[str]]] = {
    "http to a stranger": ({"url": "http://far.example/"}, ["would send the token in the clear", "use https://"]),
    "no URL": ({"url": "nonsense"}, ["does not begin with https://", "give an https:// URL"]),
    "no such name": (
        {"url": "https://nowhere.invalid/"},
        ["can't resolve", "try `getent hosts nowhere.invalid`"],
    ),
    "nothing listens": (
        {"url": "https://127.0.0.1:1/"},
        ["onnection refused", "nothing listens on that port", "see whether it runs"],
    ),
    "token refused": ({"token": "stale"}, ["401", "The token given has expired", "Give a fresh one"]),
    "token empty": ({"token": ""}, ["the token is empty: give it, or the path of a file with it"]),
    "room unknown": ({"room": "attic"}, ["404", "Check session.room_id"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_answer_that_does_not_hold_is_explained_and_asked_again(site: Site, name: str) -> None:
    answers, explained = BROKEN[name]
    with site.person() as person:
        person.answer("Backend URL", answers.get("url", site.url))
        if answers.get("url", "").startswith("https:") or "url" not in answers:
            person.answer("(bearer, raw)", "")
            person.answer("Token (", answers.get("token", site.room.token))
        if answers.get("token") != "" and name not in ("http to a stranger", "no URL"):
            person.answer("Room (", answers.get("room", "lobby"))
            person.answer("Keep it all the same?", "")
        person.sees(*explained)
        again = "Token (" if answers.get("token") == "" else "Backend URL"
        person.answer(again, "")
        person.gives_up()


def test_an_unknown_ca_is_explained(site: Site) -> None:
    site.write("")
    with site.person() as person:
        person.backend()
        person.answer("Keep it all the same?", "")
        person.sees("certificate", "Name the CA in backend.ca_file")
        person.gives_up()


@pytest.mark.parametrize(
    ("device", "explained"),
    [("hw:CARD=Absent", "is it plugged in?"), ("busy", "another program has it"), ("99", "is not in the list")],
)
def test_a_microphone_that_can_not_be_had_is_explained(site: Site, device: str, explained: str) -> None:
    with site.person() as person:
        person.backend()
        person.answer("Microphone, by number", device)
        if device != "99":
            person.answer("Keep it all the same?", "")
        person.sees(explained)
        person.answer("Microphone, by number", "mic")
        person.sees("It opens.")
        person.gives_up()


def test_a_speaker_that_can_not_be_had_may_be_kept_on_purpose(site: Site) -> None:
    with site.person("--capture", "mic", "--backend", site.url, "--room", "-") as person:
        person.answer("(bearer, raw)", "raw")
        person.answer("Token (", site.room.token)
        person.sees("400", "roomId is required", "Check room_id")  # this backend does not know it
        person.answer("Keep it all the same?", "y")
        person.answer("Take this one?", "")
        person.answer("Speaker, by number", "hw:CARD=Later")
        person.answer("Keep it all the same?", "y")
        person.sees("can't open playback device", "audio.playback.device: default -> hw:CARD=Later")
        person.answer("Write it?", "y")
        assert person.terminal.status() == 0
    config = load_config(site.config)
    assert (config.backend.auth_scheme, config.session.room_id) == ("raw", None)
    assert config.audio.playback.device == "hw:CARD=Later"


def test_a_file_with_a_fault_is_named_before_anything_is_asked(site: Site) -> None:
    site.write(more="audio: [\n")
    with site.person() as person:
        assert person.terminal.status() == 1
        person.sees(f"{site.config}:", "is not YAML", "check the indentation", NOTHING)
    site.write(more="sesion: {}\n")
    with site.person() as person:
        assert person.terminal.status() == 1
        person.sees("sesion: is not a key ingestd knows; did you mean session?")
    assert site.files() == site.before


@pytest.mark.root
def test_a_folder_that_may_not_be_written_is_named_before_anything_is_asked(site: Site) -> None:
    for folder in (site.folder, *site.folder.parents[:3]):
        folder.chmod(0o755)
    nobody = ("setpriv", "--reuid", "65534", "--clear-groups", "--")
    with site.person(prefix=nobody) as person:
        assert person.terminal.status() == 1
        person.sees(f"this user may not write in {site.folder}", "run it by sudo, or as root")
    assert site.files() == site.before


def test_no_more_answers_in_the_middle_change_nothing(site: Site) -> None:
    with site.person() as person:
        person.backend()
        person.terminal.wait_for("Microphone, by number")
        person.terminal.type("\x04")
        assert person.terminal.status() == 1
        person.sees(f"there are no more answers; {NOTHING}")
    assert site.files() == site.before


def test_ctrl_c_ends_it_while_a_backend_says_nothing(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, site.person() as person:
        person.backend(url=f"https://127.0.0.1:{silent.getsockname()[1]}/")
        person.terminal.wait_for("Asking the backend")
        connection, _ = silent.accept()
        with connection:
            person.gives_up()


def test_a_signal_while_the_token_is_typed_leaves_the_terminal_as_it_was(site: Site) -> None:
    before = Terminal(["true"]).settings()
    with site.person("--backend", site.url, "--auth", "bearer") as person:
        person.is_asked("Token (")
        wait_until(lambda: person.terminal.settings() != before, 20, "the echo to be off")
        person.terminal.process.terminate()
        assert person.terminal.status() == 128 + signal.SIGTERM
        assert person.terminal.settings() == before
    assert site.files() == site.before


def test_bytes_that_are_no_text_are_asked_for_again(site: Site) -> None:
    site.env["PYTHONIOENCODING"] = "utf-8:strict"  # as in most languages' locales, but not in C.UTF-8
    with site.person() as person:
        person.is_asked("Backend URL")
        os.write(person.terminal._master, b"https://\xff/\r")
        person.sees("That was no text")
        person.answer("Backend URL", site.url)
        person.answer("(bearer, raw)", "")
        person.is_asked("Token (")
        os.write(person.terminal._master, b"\xfe\r")
        person.answer("Token (", "x")
        person.is_asked("Room (")
        person.gives_up()


@pytest.mark.parametrize(
    ("other", "explained"),
    [
        ({"room": "attic"}, "Check session.room_id"),
        ({"backend": "http://far.example/"}, "in the clear"),
        ({"capture": "hw:CARD=Absent"}, "is it plugged in?"),
        ({"playback": "hw:CARD=Absent"}, "is it plugged in?"),
    ],
)
def test_what_fails_its_try_ends_a_script_and_changes_nothing(
    site: Site, other: dict[str, str], explained: str
) -> None:
    done = site.script(*site.all_given(**other), "--token-stdin", stdin=site.room.token)
    assert done.returncode == 1
    assert explained in done.stderr
    assert done.stderr.rstrip().endswith(NOTHING)
    assert site.files() == site.before


def test_a_token_that_is_refused_is_not_said_to_be_in_a_file(site: Site) -> None:
    done = site.script(*site.all_given(), "--token-stdin", stdin="stale")
    assert done.returncode == 1
    assert "The token given has expired" in done.stderr
    assert str(site.token) not in done.stderr
    assert done.stderr.endswith(f"try the other --auth; {NOTHING}\n")
    assert site.files() == site.before


def test_without_a_terminal_what_is_missing_is_named(site: Site) -> None:
    done = site.script("--backend", site.url, "--yes")
    assert done.returncode == 1
    missing = "--token-file or --token-stdin, --room, --capture, --playback"
    assert done.stderr == f"ingestctl: there is no terminal to ask at; give {missing} too\n"
    assert site.files() == site.before


@pytest.mark.parametrize(
    ("token_file", "explained"),
    [
        (
            "/run/credentials/ingestd.service/ingestd.token",
            "    systemd-creds encrypt --name=ingestd.token TOKEN-FILE /etc/credstore.encrypted/ingestd.token\n"
            "    systemctl restart ingestd\n",
        ),
        ("/etc/ingestd/token", "name another file in there (backend.token_file)"),
    ],
    ids=["credential", "own"],
)
def test_a_token_that_is_not_setup_s_to_write_is_refused_before_anything_is_written(
    site: Site, token_file: str, explained: str
) -> None:
    site.config.write_text(site.config.read_text().replace(str(site.token), token_file))
    site.before, there = site.files(), Path(token_file).exists()
    done = site.script(*site.all_given(), "--token-stdin", stdin=site.room.token)
    assert done.returncode == 1
    assert explained in done.stderr
    assert done.stderr.endswith(NOTHING + "\n")
    assert site.files() == site.before
    assert Path(token_file).exists() is there
