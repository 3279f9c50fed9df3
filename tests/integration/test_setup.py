"""ingestctl setup as a person meets it, in a real terminal, and as a script runs it: set-ups that go well."""

from __future__ import annotations

import pytest

from ingestd.config import load_config
from tests.integration.setup_case import NOTHING, SESSIONS, Site
from tests.rig.alsa_device import alsa_device
from tests.rig.process import wait_until
from tests.standin.client import StandIn

pytest_plugins = ("tests.integration.setup_fixtures",)


def test_a_person_sets_a_device_up(site: Site) -> None:
    before = site.config.read_text()
    with site.person() as person:
        person.backend()
        person.sees("The backend created a session")
        person.answer("Microphone, by number", "mic")
        person.terminal.type("n\r")  # a key that is pressed while nothing is asked answers nothing
        person.is_asked("Say something")
        person.answer("Take this one?", "")
        person.sees("The microphone", "dBFS")
        person.answer("Speaker, by number", "speaker")
        person.answer("Play a test tone?", "y")
        person.answer("Did you hear it?", "")
        person.sees("backend.url: none -> https://", "session.room_id: none -> lobby")
        assert site.files() == site.before, "nothing is written before the end"
        person.answer("Write it?", "")
        assert person.terminal.status() == 0
        shown = person.terminal.output.decode()
        assert site.room.token not in shown
        assert f"Start it: ingestd --config {site.config}" in shown
    after = site.config.read_text()
    config = load_config(site.config)
    assert (config.backend.url, config.session.room_id) == (site.url, "lobby")
    assert (config.audio.capture.device, config.audio.playback.device) == ("mic", "speaker")
    assert [line for line in before.splitlines() if line not in after.splitlines()] == [
        "session: {participant: {metadata: {}}}"
    ]
    assert (site.folder / "ingestd.yaml.bak").read_text() == before
    assert site.token.read_text() == site.room.token + "\n"
    assert site.token.stat().st_mode & 0o007 == 0


def test_enter_keeps_everything_there_is(site: Site) -> None:
    site.write(f"  ca_file: {site.room.ca_file}\n  url: {site.url}\n")
    site.config.write_text(site.config.read_text().replace("session: {", "session: {room_id: gate, "))
    site.token.write_text(site.room.token)
    site.before = site.files()
    with site.person("--capture", "default", "--playback", "speaker") as person:
        person.backend(url="", token="", room="")
        person.answer("Keep it all the same?", "y")  # no microphone is called default here
        person.answer("Play a test tone?", "")
        person.sees("audio.playback.device: default -> speaker")
        person.answer("Write it?", "n")
        assert person.terminal.status() == 1
        person.sees(f"not written; {NOTHING}")
    assert site.files() == site.before


def test_a_token_on_standard_input_is_enough_for_a_script(site: Site) -> None:
    done = site.script(*site.all_given(), "--token-stdin", stdin=site.room.token + "\n")
    assert done.returncode == 0, done.stderr
    assert site.room.token not in done.stdout + done.stderr
    assert load_config(site.config).session.room_id == "lobby"
    assert site.token.read_text() == site.room.token + "\n"
    again = site.script(*site.all_given(), "--token-file", str(site.token))
    assert again.returncode == 0
    assert "All of it is there already" in again.stdout


def test_an_image_of_many_devices_is_set_up_where_nothing_can_be_tried(site: Site) -> None:
    there = {"backend": "https://nowhere.invalid/s", "capture": "plughw:CARD=Mic", "playback": "plughw:CARD=Speaker"}
    done = site.script(*site.all_given(**there), "--token-stdin", "--no-try", stdin="of-the-field")
    assert done.returncode == 0, done.stderr
    assert "Say something" not in done.stdout
    config = load_config(site.config)
    assert (config.backend.url, config.session.room_id) == (there["backend"], "lobby")
    assert (config.audio.capture.device, config.audio.playback.device) == (there["capture"], there["playback"])
    assert site.token.read_text() == "of-the-field\n"


@pytest.mark.parametrize(
    ("other", "explained"),
    [({"backend": "http://far.example/"}, "in the clear"), ({"capture": "99"}, "is not in the list")],
)
def test_what_needs_no_try_is_refused_without_one_too(site: Site, other: dict[str, str], explained: str) -> None:
    done = site.script(*site.all_given(**other), "--token-stdin", "--no-try", stdin="of-the-field")
    assert done.returncode == 1
    assert explained in done.stderr
    assert site.files() == site.before


def test_a_person_may_leave_the_tries_out_too(site: Site) -> None:
    with site.person("--no-try") as person:
        person.backend(url="https://nowhere.invalid/s")
        person.answer("Microphone, by number", "plughw:CARD=Mic")
        person.answer("Speaker, by number", "plughw:CARD=Speaker")
        person.answer("Write it?", "")
        assert person.terminal.status() == 0
        assert "Asking the backend" not in person.terminal.output.decode()


def test_beside_a_credential_everything_but_the_token_is_set(site: Site) -> None:
    credential = "/run/credentials/never-started.service/ingestd.token"
    site.config.write_text(site.config.read_text().replace(str(site.token), credential))
    done = site.script(*site.all_given())
    assert done.returncode == 0, done.stderr
    assert "the token, a credential, is there while the service runs" in done.stdout
    assert load_config(site.config).session.room_id == "lobby"
    with site.person("--capture", "mic", "--playback", "speaker", "--no-try") as person:
        person.answer("Backend URL", "")
        person.answer("(bearer, raw)", "")
        person.sees("The token stays as it is.", "systemd-creds encrypt --name=ingestd.token")
        person.answer("Room (", "gate")
        person.answer("Write it?", "")
        assert person.terminal.status() == 0
    assert load_config(site.config).session.room_id == "gate"
    assert not site.token.exists()


def test_a_key_that_conf_d_sets_is_changed_there_and_said(site: Site) -> None:
    over = site.folder / "conf.d" / "50-room.yaml"
    over.parent.mkdir()
    over.write_text("# by the fleet\nsession: {room_id: gate}\n")
    done = site.script(*site.all_given(), "--token-stdin", stdin=site.room.token)
    assert done.returncode == 0, done.stderr
    assert over.read_text() == '# by the fleet\nsession: {room_id: "lobby"}\n'
    assert f"{over}\n    session.room_id: gate -> lobby" in done.stdout
    assert "room_id" not in site.config.read_text()
    assert load_config(site.config).session.room_id == "lobby"


def test_without_a_file_it_begins_as_the_reference(site: Site) -> None:
    """Over plain HTTP to this very machine, as the reference names no CA."""
    site.config = site.folder / "new" / "ingestd.yaml"
    with StandIn() as plain:
        site.token.write_text(plain.token)
        (site.folder / "new" / "conf.d").mkdir(parents=True)
        (site.folder / "new" / "conf.d" / "a.yaml").write_text(f"backend: {{token_file: {site.token}}}\n")
        given = site.all_given(backend=plain.base_url + SESSIONS)
        done = site.script(*given, "--token-file", str(site.token))
    assert done.returncode == 0, done.stderr
    written = site.config.read_text()
    assert written.startswith("# /etc/ingestd/ingestd.yaml: the configuration of ingestd")
    assert load_config(site.config).audio.capture.device == "mic"


def test_beside_a_running_daemon_its_devices_are_not_opened_and_it_may_take_it_over(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in site.env.items():
        monkeypatch.setenv(name, value)
    with alsa_device(site.room, site.folder) as device:
        wait_until((site.folder / "control.sock").exists, 20, "the daemon")
        wait_until(lambda: not device.lost("capture") and not device.lost("playback"), 20, "the devices")
        with site.person() as person:
            person.backend(url="", token="", room="gate")
            for name in ("Microphone", "Speaker"):
                person.answer(f"{name}, by number", "")
                if name == "Microphone":
                    person.answer("Take this one?", "")
            person.sees("The running ingestd has it open. Say something:", "The running ingestd has it open.")
            person.answer("Write it?", "")
            person.answer("Let the running ingestd read it now?", "y")
            assert person.terminal.status() == 0
            person.sees("session.room_id")

        def moved() -> bool:
            return any(call.room_id == "gate" and call.connections for call in site.room.calls())

        wait_until(moved, 20, "the call in the other room")
