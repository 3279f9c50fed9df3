"""The token as an encrypted credential of systemd's: the example's own lines, on a device that has the package."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.rig.booted_site import ROOM, TOKEN, URL, BootedSite
from tests.rig.process import wait_until

EXAMPLES = "/usr/share/doc/ingestd/examples/ingestd.service.d"
EXAMPLE = Path(__file__).parents[3] / "systemd/ingestd.service.d/credential.conf.example"
CREDENTIAL = "/run/credentials/ingestd.service/ingestd.token"
NEW_TOKEN = "another-token-of-the-field"

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


def documented() -> list[str]:
    """The commands in the example's comment."""
    return re.findall(r"^#     (.+)$", EXAMPLE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def site(booted: BootedSite) -> BootedSite:
    """In the room, by a token that only systemd can decrypt; there is no token file."""
    type_in(booted, TOKEN, documented())
    return booted


def type_in(site: BootedSite, token: str, commands: list[str]) -> None:
    """What a person does with a token: the commands in the examples' folder, and no file is left."""
    lines = ["set -e", f"cd {EXAMPLES}", *commands, "rm -f /root/token /etc/ingestd/token"]
    site.machine.write("/root/token", token, 0o600)
    done = site.machine.run("sh", "-c", "\n".join(lines).replace("TOKEN-FILE", "/root/token"))
    assert done.returncode == 0, done.stderr


def test_the_call_is_made_with_it(site: BootedSite) -> None:
    site.wait_state("streaming")
    site.flows()
    assert site.machine.run("test", "-e", "/etc/ingestd/token").returncode == 1


def test_the_doctor_finds_it_and_no_fault_in_it(site: BootedSite) -> None:
    said = site.machine.run("ingestctl", "doctor").stdout
    assert f"token: {CREDENTIAL} holds one" in said


def test_setup_leaves_it_as_it_is(site: BootedSite) -> None:
    before = site.machine.run("sh", "-c", f"cat {CREDENTIAL} | sha256sum").stdout
    refused = set_up(site, "--token-stdin")
    assert refused.returncode == 1
    assert all(f"    {line}\n" in refused.stderr for line in (documented()[1], documented()[-1]))
    assert site.machine.run("sh", "-c", f"cat {CREDENTIAL} | sha256sum").stdout == before
    done = set_up(site)
    assert done.returncode == 0, done.stderr
    assert "All of it is there already" in done.stdout


def set_up(site: BootedSite, *more: str) -> subprocess.CompletedProcess[str]:
    """A script that sets it up as it is; `--token-stdin` gives it another token."""
    given = ["--backend", URL, "--room", ROOM, "--capture", "mic", "--playback", "speaker", "--no-try", "--yes", *more]
    return site.machine.run("ingestctl", "setup", *given, stdin=NEW_TOKEN)


def test_nobody_else_reads_it(site: BootedSite) -> None:
    def read_by(user: str) -> str:
        return site.machine.run("runuser", "-u", user, "--", "cat", CREDENTIAL).stdout

    assert read_by("ingestd") == TOKEN
    assert read_by("nobody") == ""
    group = site.machine.run("setpriv", "--reuid=nobody", "--regid=ingestd", "--clear-groups", "cat", CREDENTIAL)
    assert group.stdout == "", "a handler of ingestd-hooks has that group"
    encrypted = (site.machine.path / "etc/credstore.encrypted/ingestd.token").read_text()
    assert TOKEN not in encrypted


def test_the_hooks_need_nothing_of_their_own_for_it(site: BootedSite) -> None:
    site.machine.systemctl("start", "ingestd-hooks")
    assert site.machine.show("ingestd-hooks", "ActiveState")["ActiveState"] == "active"


def test_a_new_one_takes_its_line_and_a_restart(site: BootedSite) -> None:
    commands = documented()
    encrypt, restart = commands[1], commands[-1]
    site.room.configure(fixed_token=NEW_TOKEN)
    type_in(site, NEW_TOKEN, [encrypt])
    site.machine.run("ingestctl", "reconnect")
    site.room.wait_for(lambda: any(request.status == 401 for request in site.room.session_requests()), "the old one")
    wait_until(lambda: "Encrypt a fresh one" in site.machine.run("ingestctl", "status").stdout, 20, "what helps")
    type_in(site, NEW_TOKEN, [encrypt, restart])
    site.wait_state("streaming")
    site.flows()


def test_without_one_it_is_left_alone(site: BootedSite) -> None:
    site.machine.run("rm", "/etc/credstore.encrypted/ingestd.token")
    site.machine.systemctl("restart", "ingestd")
    shown = site.machine.show("ingestd", "ActiveState", "ConditionResult")
    assert shown == {"ActiveState": "inactive", "ConditionResult": "no"}
    assert f"token: {CREDENTIAL} is a credential" in site.machine.run("ingestctl", "doctor").stdout
    checked = site.machine.run("ingestd", "--check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert set_up(site, "--token-stdin").returncode == 1
    assert site.machine.run("test", "-e", CREDENTIAL).returncode == 1, "nothing was made there"
