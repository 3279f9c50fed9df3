"""The package as somebody meets it: installed by apt on a booted Debian 13, filled in by setup, in the room.

One device from its first day on: each test goes on where the one before it ended.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.demo.judge import LIKE
from tests.integration.setup_case import Talk
from tests.rig import deb
from tests.rig.align import align_each
from tests.rig.booted_site import CONFIG, ROOM, TOKEN, URL, BootedSite, why_not
from tests.rig.speech import Span, speak, utterances
from tests.rig.terminal import Terminal
from tests.rig.wav import RATE, Pcm

SAY_S = 8.0
STATE = "/var/lib/ingestd"

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200), pytest.mark.alone]  # real sound is judged here


@pytest.fixture(scope="module")
def site() -> Iterator[BootedSite]:
    """A device with nothing of ingestd on it, whose system trusts the room's CA; speech is at its microphone."""
    if reason := why_not():
        pytest.skip(reason)
    with BootedSite() as site:
        ca = site.room.ca_file
        assert ca is not None
        site.machine.write("/usr/local/share/ca-certificates/room.crt", ca.read_text())
        site.machine.boot()
        assert "1 added" in site.machine.run("update-ca-certificates").stdout
        yield site


def mode(site: BootedSite, path: str) -> str:
    """Access, owner and group of a file."""
    return site.machine.run("stat", "--format=%a %U:%G", path).stdout.strip()


def content(site: BootedSite, path: str) -> bytes:
    """A file of the device."""
    return (site.machine.path / path.lstrip("/")).read_bytes()


def pid(site: BootedSite) -> int:
    """The daemon's process id, in the machine."""
    return int(site.machine.show("ingestd", "MainPID")["MainPID"])


def proc(site: BootedSite, file: str) -> dict[str, str]:
    """A file of the daemon in /proc, whose lines are `name: value`."""
    text = site.machine.run("cat", f"/proc/{pid(site)}/{file}").stdout
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def test_apt_installs_it_from_the_file_with_all_it_needs(site: BootedSite) -> None:
    done = site.machine.run("apt-get", "install", "-y", site.copy(deb.built()), timeout_s=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ingestctl setup" in done.stdout, "what is next is said"
    for alert in ("rror", "arning", "egrading"):
        assert alert not in done.stdout + done.stderr, done.stdout + done.stderr
    assert "audio" in site.machine.run("id", "-nG", "ingestd").stdout.split()
    assert mode(site, CONFIG) == "644 root:root"
    assert content(site, CONFIG) == content(site, "/usr/share/ingestd/ingestd.yaml") != b""
    assert mode(site, "/etc/ingestd/conf.d") == "755 root:root"
    assert "installed" in site.machine.run("dpkg-query", "-W", "-f=${Status}", "libasound2-plugins").stdout
    assert site.machine.run("dpkg", "--verify", "ingestd").stdout == ""


def test_while_it_is_not_filled_in_it_is_skipped_and_says_what_to_do(site: BootedSite) -> None:
    found = site.machine.show("ingestd", "ActiveState", "ConditionResult", "Result", "NRestarts", "UnitFileState")
    assert found == {
        "ActiveState": "inactive",
        "ConditionResult": "no",
        "Result": "success",
        "NRestarts": "0",
        "UnitFileState": "enabled",
    }
    shown = site.machine.run("systemctl", "status", "ingestd").stdout
    assert "/etc/ingestd/token was not met" in shown
    assert "ingestctl setup" in shown
    assert site.machine.run("test", "-f", "/usr/share/doc/ingestd/README.Debian").returncode == 0, "which it names"
    assert site.machine.systemctl("list-units", "--failed", "--plain", "--no-legend") == ""
    asked = site.machine.run("ingestctl", "status")
    assert asked.returncode != 0
    assert "systemctl status ingestd" in asked.stdout + asked.stderr


def test_somebody_fills_it_in_and_starts_it(site: BootedSite) -> None:
    command = site.machine.command("ingestctl", "setup")
    mouth = site.sound.mic.play(speak("This is the microphone of the gate, testing, testing, one, two, three, four."))
    with Terminal(command, columns=120, lines=60) as terminal:
        talk = Talk(terminal)
        talk.answer("Backend URL", URL)
        talk.answer("(bearer, raw)", "")
        talk.answer("Token (", TOKEN)
        talk.answer("Room (", ROOM)
        talk.answer("Microphone, by number", "mic")
        talk.answer("Take this one?", "y")
        talk.answer("Speaker, by number", "speaker")
        talk.answer("Play a test tone?", "n")
        talk.answer("Write it?", "y")
        talk.answer("Start the service now, and at every boot?", "y")
        assert terminal.status(30) == 0, terminal.text
        assert TOKEN not in terminal.output.decode()
    mouth.stop()
    assert mode(site, "/etc/ingestd/token") == "640 root:ingestd"
    assert mode(site, CONFIG) == "644 root:root"
    assert site.machine.run("ingestd", "--check", "--config", CONFIG).returncode == 0


def test_it_streams_over_tls_and_both_ends_hear(site: BootedSite) -> None:
    site.fresh_frame_s()
    alice = site.room.add("Alice", room=ROOM)
    up, down = utterances()[2], utterances("en-us+f3")[3]
    with site.sound.speaker.record() as speaker:
        speaker.wait_for(0.2, 10)
        mouth = site.sound.mic.play(up)
        began_s = site.room.say(alice, down.astype("<i2").tobytes())
        time.sleep(SAY_S + 1.0)
        mouth.stop()
        from_speaker, speaker_s = speaker.samples(), speaker.started
    in_room = site.room.hear(alice)
    assert likeness(in_room.samples, up, mouth.started - in_room.first_s) >= LIKE
    assert likeness(from_speaker, down, began_s - speaker_s) >= LIKE
    status = site.status()
    assert status is not None
    assert (status["state"], status["faults"], status["uplink"]["dropped"]) == ("streaming", [], 0)
    assert site.shown().startswith("streaming: ")


def likeness(heard: Pcm, spoken: Pcm, about_s: float) -> float:
    """How like what was heard, from its start on, is to what was spoken `about_s` later."""
    spoken = spoken[: round(SAY_S * RATE)]
    return align_each(heard, spoken, [Span(0, len(spoken))], about_s=about_s + 0.2)[0].correlation


def test_it_runs_as_its_user_in_the_sandbox(site: BootedSite) -> None:
    user, group = (site.machine.run("id", flag, "ingestd").stdout.strip() for flag in ("-u", "-g"))
    status = proc(site, "status")
    assert status["Uid"].split() == [user] * 4 != ["0"] * 4
    assert status["Gid"].split() == [group] * 4
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    assert {int(status[caps], 16) for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
    assert status["Umask"] == "0077"
    inside = f"/proc/{pid(site)}/ns/"
    for space in ("mnt", "user"):
        own, init = site.machine.run("readlink", f"{inside}{space}", f"/proc/1/ns/{space}").stdout.split()
        assert own != init, f"a namespace of its own: {space}"
    assert mode(site, STATE) == "700 ingestd:ingestd"
    assert mode(site, "/run/ingestd/control.sock") == "660 ingestd:ingestd"
    kept = site.machine.run("find", STATE, "-maxdepth", "1", "-type", "f", "-printf", "%f %m\n").stdout.splitlines()
    assert kept == ["last-good.yaml 600"]


def test_its_secrets_are_nobodys(site: BootedSite) -> None:
    refused = site.machine.run("setpriv", "--reuid=65534", "--clear-groups", "cat", "/etc/ingestd/token")
    assert "Permission denied" in refused.stderr
    everything = site.machine.run("journalctl", "--no-pager", "-o", "export").stdout
    assert TOKEN not in everything
    assert "ref=" not in everything
    assert TOKEN not in json.dumps(site.status())
    assert TOKEN not in site.machine.run("cat", f"/proc/{pid(site)}/cmdline", f"/proc/{pid(site)}/environ").stdout


def test_the_doctor_finds_nothing_wrong(site: BootedSite) -> None:
    done = examined(site)
    assert done.returncode == 0, done.stdout


def examined(site: BootedSite, *as_user: str) -> subprocess.CompletedProcess[str]:
    """What the doctor says while somebody speaks into the microphone."""
    mouth = site.sound.mic.play(utterances()[5])
    try:
        return site.machine.run(*as_user, "ingestctl", "doctor", timeout_s=60)
    finally:
        mouth.stop()


def test_who_may_ask(site: BootedSite) -> None:
    site.machine.run("useradd", "technician")
    as_user = ("runuser", "-u", "technician", "--")
    refused = site.machine.run(*as_user, "ingestctl", "status")
    assert refused.returncode == 3
    assert "usermod -aG ingestd" in refused.stderr, "what helps"
    site.machine.run("usermod", "-aG", "ingestd", "technician")
    assert "IN THE ROOM" in site.machine.run(*as_user, "ingestctl", "status").stdout
    done = examined(site, *as_user)
    assert "the group systemd-journal" in done.stdout, "what is not looked at, and who may"
    assert done.returncode == 0, done.stdout
