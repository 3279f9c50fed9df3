"""What a handler can't reach: the installed units on a Debian 13 that systemd has booted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rig.booted import Booted, why_not
from tests.rig.process import wait_until

REPO = Path(__file__).parents[2]
DROP_IN = "/etc/systemd/system/ingestd-hooks.service.d/gpio.conf"
PORT = 9999
WITHIN_S = 30.0
NEEDED = {"control socket", "configuration", "temporary file"}
"""What every handler may do."""
SHARED = {"unmute", "another secret", "state of its service", "signal its service"}
"""What no handler can be kept from: it has its service's user and group, and the control socket is one."""
FORBIDDEN = {
    "network",
    "bus",
    "write /etc",
    "write /home",
    "write /var",
    "token",
    "device",
    "another device",
    "setuid program",
    "make setuid",
    "new namespace",
    "signal ingestd",
    "look into its service",
}
CLOSED_TO_OTHERS = {"state of ingestd"}
"""To whoever is not of that user: no unit is needed for it."""
# "look into ingestd" is in none of these: its own unit closes that, even to its own user.

PROBE = f"""#!/bin/sh
[ -z "$INGESTD_HOOK_RUN" ] || {{ setsid sleep 1001 & kill -0 $! && echo "left behind: $!"; }}
exec /usr/bin/python3 /usr/local/lib/probe.py {PORT} "$(cat /etc/ingestd/pid)"
"""
EXAMPLE = (REPO / "systemd/ingestd-hooks.service.d/gpio.conf.example").read_text()
(GROUP,) = re.findall(r"^#     (groupadd .*)$", EXAMPLE, re.MULTILINE)
PREPARE = f"""
mkdir -m 777 /etc/open-to-all /home/open-to-all /var/open-to-all
cp /usr/bin/id /usr/local/bin/setuid-id && chmod 4755 /usr/local/bin/setuid-id
chgrp ingestd /etc/ingestd/token /etc/ingestd/door-secret
{GROUP} && usermod --append --groups gpio ingestd
"""
DEVICES = """
mknod -m 660 /dev/gpiochip0 c 10 229 && chgrp gpio /dev/gpiochip0
mknod -m 666 /dev/gpiochip1 c 10 200
systemctl show --property MainPID --value ingestd >/etc/ingestd/pid
"""

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Booted]:
    """Both services as they are installed; a handler tries what it can reach whenever the device leaves the room."""
    if reason := why_not():
        pytest.skip(reason)
    with Booted() as machine:
        machine.bind(REPO / "ingestd", "/usr/lib/python3/dist-packages/ingestd")
        for name, module in (("ingestd", "ingestd"), ("ingestd-hooks", "ingestd.hooks")):
            machine.write(f"/usr/bin/{name}", f'#!/bin/sh\nexec python3 -m {module} "$@"\n', 0o755)
            machine.write(f"/etc/systemd/system/{name}.service", (REPO / f"systemd/{name}.service").read_text())
        machine.chroot("useradd", "--system", "--user-group", "--groups", "audio", "ingestd")
        machine.write("/usr/local/lib/probe.py", (REPO / "tests/rig/probe.py").read_text())
        machine.write("/usr/local/bin/probe", PROBE, 0o755)
        machine.write("/etc/ingestd/token", "a-token", 0o640)
        machine.write("/etc/ingestd/door-secret", "0123456789abcdef", 0o640)
        hooks = [{"state": "disconnected", "exec": ["/usr/local/bin/probe"], "timeout_s": 20}]
        config = {
            "backend": {"url": "https://192.0.2.1/"},
            "session": {"participant": {"metadata": {}}},
            "hooks": hooks,
        }
        machine.write("/etc/ingestd/ingestd.yaml", json.dumps(config))
        machine.chroot("sh", "-euc", PREPARE)
        machine.boot()
        listen = ["systemd-run", "--quiet", "python3", "-m", "http.server", "--bind", "127.0.0.1", str(PORT)]
        assert machine.run(*listen).returncode == 0
        connect = ["bash", "-c", f"</dev/tcp/127.0.0.1/{PORT}"]
        wait_until(lambda: machine.run(*connect).returncode == 0, WITHIN_S, "a server to reach", every=0.1)
        machine.systemctl("start", "ingestd")
        assert machine.run("sh", "-euc", DEVICES).returncode == 0
        wait_until(lambda: machine.run("test", "-S", "/run/ingestd/control.sock").returncode == 0, WITHIN_S, "ingestd")
        machine.systemctl("start", "ingestd-hooks")
        yield machine


def printed(machine: Booted) -> list[dict[str, Any]]:
    """The entries that the handler's output made."""
    return [entry for entry in machine.journal("ingestd-hooks") if entry.get("HOOK") and "[" in entry["MESSAGE"]]


def reached(machine: Booted, run: int) -> set[str]:
    """What the handler could reach in that run of it."""
    wait_until(lambda: len(printed(machine)) > run, WITHIN_S, "the handler's output in the journal", every=0.1)
    message: str = printed(machine)[run]["MESSAGE"]
    return set(json.loads(message[message.index("[") :]))


def test_a_handler_reaches_nothing_that_its_unit_does_not_open(machine: Booted) -> None:
    # The same probe by the same group with no unit around it: what it is refused below, it is refused by the unit.
    # Its parent is of the same user, as a handler's is; the state of the hooks is another user's here.
    outside = machine.run("runuser", "-u", "ingestd", "--", "sh", "-c", "/usr/local/bin/probe; :")
    expected = NEEDED | FORBIDDEN | CLOSED_TO_OTHERS | SHARED - {"state of its service"}
    assert set(json.loads(outside.stdout)) == expected, outside.stderr
    assert reached(machine, 0) == NEEDED | SHARED


def test_what_it_leaves_behind_ends_with_it(machine: Booted) -> None:
    reached(machine, 0)
    assert any("left behind" in entry["MESSAGE"] for entry in machine.journal("ingestd-hooks"))
    wait_until(lambda: machine.run("pgrep", "-f", "sleep 1001").returncode == 1, WITHIN_S, "its end", every=0.1)


def test_both_keep_their_state(machine: Booted) -> None:
    for unit in ("ingestd", "ingestd-hooks"):
        said = [entry["MESSAGE"] for entry in machine.journal(unit)]
        assert [message for message in said if "can't write" in message] == []


def test_its_output_is_in_the_journal_with_its_fields(machine: Booted) -> None:
    reached(machine, 0)
    entry = printed(machine)[0]
    assert (entry["HOOK"], entry["STATE"]) == ("/usr/local/bin/probe", "disconnected")
    assert entry["SYSLOG_IDENTIFIER"] == "ingestd-hooks"
    assert entry["_SYSTEMD_UNIT"] == "ingestd-hooks.service"


def test_a_drop_in_opens_what_it_names_and_no_more(machine: Booted) -> None:
    machine.systemctl("stop", "ingestd-hooks")  # or one more run without it might be taken for one with it
    machine.write(DROP_IN, EXAMPLE)
    machine.systemctl("daemon-reload")
    runs = len(printed(machine))
    machine.systemctl("start", "ingestd-hooks")
    assert reached(machine, runs) == NEEDED | SHARED | {"device"}


def said_of_itself(machine: Booted) -> str:
    return machine.systemctl("show", "--property", "StatusText", "--value", "ingestd-hooks")


def test_a_reload_is_waited_for_and_a_bad_configuration_is_no_end(machine: Booted) -> None:
    good = machine.run("cat", "/etc/ingestd/ingestd.yaml").stdout
    machine.write("/etc/ingestd/ingestd.yaml", "hooks: [{topic: X}]")
    try:
        machine.systemctl("reload", "ingestd-hooks")
        messages = [entry["MESSAGE"] for entry in machine.journal("ingestd-hooks")]
        assert any("the handlers stay as they are" in message for message in messages)
        assert machine.systemctl("is-active", "ingestd-hooks").strip() == "active"
        refused = "; the last reload was refused: /etc/ingestd/ingestd.yaml: backend.url: is missing"
        # It says that it is done before it says how.
        wait_until(lambda: refused in said_of_itself(machine), WITHIN_S, refused, every=0.1)
    finally:
        machine.write("/etc/ingestd/ingestd.yaml", good)
    machine.systemctl("reload", "ingestd-hooks")
    wait_until(lambda: "refused" not in said_of_itself(machine), WITHIN_S, "that to be over", every=0.1)


def test_the_daemon_may_go_and_come_back(machine: Booted) -> None:
    machine.systemctl("restart", "ingestd")
    status = machine.run("systemctl", "show", "--property", "StatusText", "--value", "ingestd-hooks")

    def listening() -> bool:
        status = machine.run("systemctl", "show", "--property", "StatusText", "--value", "ingestd-hooks").stdout
        return status.startswith("listening")

    wait_until(listening, WITHIN_S, f"the hooks to find it again, {status.stdout}", every=0.1)
    machine.systemctl("stop", "ingestd-hooks")
    assert machine.systemctl("show", "--property", "Result", "--value", "ingestd-hooks").strip() == "success"
