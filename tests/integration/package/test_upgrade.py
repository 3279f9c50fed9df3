"""An upgrade of a device in a call, and of one where somebody has stopped it: nothing asked, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.package.upgrade_case import NEW_LINE, OLD_LINE, OLD_VERSION, POLICY, UNITS, Packages, packages
from tests.rig.booted_site import CONFIG, why_not
from tests.rig.terminal import Terminal

DOWN = ("--allow-downgrades", "--yes")
ONCE_MORE = dict.fromkeys(UNITS, 1)
SET = {"muted": True, "gains": (6, -3)}
FLAGS = "/run/*.was-stopped"
NO_START = "ingestd: ingestd.service does not start: see ingestctl doctor"

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def device() -> Iterator[Packages]:
    """The older build, installed in an image and booted, filled in: in the room, with mute, gains and handlers set."""
    if reason := why_not():
        pytest.skip(reason)
    with packages() as device:
        device.machine.chroot("apt-get", "--no-install-recommends", "install", device.old)
        device.boot()
        assert device.active() == {"ingestd": "inactive", "ingestd-hooks": "inactive"}
        device.fill_in()
        device.machine.systemctl("start", "ingestd")
        device.machine.systemctl("enable", "--now", "ingestd-hooks")
        device.site.wait_state("streaming")
        device.done("ingestctl", "mute")
        device.done("ingestctl", "gain", "--capture", "6", "--playback", "-3")
        yield device


def more_starts(device: Packages, before: dict[str, int]) -> dict[str, int]:
    return {unit: count - before[unit] for unit, count in device.starts().items()}


@pytest.mark.parametrize("way", ["upgrade", "reinstallation", "downgrade"])
def test_the_call_is_restarted_once_and_all_is_kept(device: Packages, way: str) -> None:
    package, *options = {
        "upgrade": [device.new],
        "reinstallation": [device.new, "--reinstall"],
        "downgrade": [device.old, *DOWN],
    }[way]
    theirs, starts, calls = device.theirs(), device.starts(), len(device.site.room.calls())
    device.install(package, *options)
    older = way == "downgrade"
    assert device.installed() == f"installed {OLD_VERSION if older else device.newest}"
    assert device.of_the_package() == {
        "version": OLD_VERSION if older else device.newest,
        "new key": not older,
        "old module": older,
        "compiled": older,
        "line": OLD_LINE if older else NEW_LINE,
    }
    assert device.heard() == SET
    assert more_starts(device, starts) == ONCE_MORE
    assert len(device.site.room.calls()) == calls + 1
    assert device.machine.show("ingestd", "NRestarts")["NRestarts"] == "0"
    assert device.theirs() == theirs


def test_nothing_is_asked_at_a_terminal(device: Packages) -> None:
    before = device.machine.run("md5sum", CONFIG).stdout
    with Terminal(device.machine.command("apt-get", "install", device.new)) as terminal:
        assert terminal.status(timeout_s=120) == 0, terminal.text
    assert device.machine.run("md5sum", CONFIG).stdout == before
    assert device.installed() == f"installed {device.newest}"


def test_a_faulty_configuration_fails_no_upgrade_and_a_failed_service_is_tried_again(device: Packages) -> None:
    device.fill_in("backnd: {}\n")
    device.machine.systemctl("stop", "ingestd")
    device.done("rm", "-r", "/var/lib/ingestd")
    assert device.machine.run("systemctl", "start", "ingestd").returncode != 0
    assert device.install(device.old, "--reinstall", *DOWN).count(NO_START) == 1
    assert device.installed() == f"installed {OLD_VERSION}"
    assert device.active() == {"ingestd": "failed", "ingestd-hooks": "active"}
    device.fill_in()
    assert "does not start" not in device.install(device.new)
    assert device.active() == dict.fromkeys(UNITS, "active")
    device.site.wait_state("streaming")


def test_what_was_stopped_stays_stopped(device: Packages) -> None:
    device.machine.systemctl("stop", *UNITS)
    starts = device.starts()
    device.install(device.old, *DOWN)
    assert device.active() == dict.fromkeys(UNITS, "inactive")
    assert device.enabled() == dict.fromkeys(UNITS, "enabled")
    assert device.starts() == starts


def test_what_is_started_between_unpacking_and_configuring_runs_the_new_program(device: Packages) -> None:
    device.machine.systemctl("stop", *UNITS)
    device.done("dpkg", "--unpack", device.new)
    device.machine.systemctl("start", "ingestd")
    starts = device.starts()
    device.done("dpkg", "--configure", "ingestd")
    assert more_starts(device, starts) == {"ingestd": 1, "ingestd-hooks": 0}
    assert device.active() == {"ingestd": "active", "ingestd-hooks": "inactive"}
    assert device.machine.run("sh", "-c", f"ls {FLAGS}").stdout == ""


def test_what_was_removed_before_it_was_configured_starts_with_the_next_installation(device: Packages) -> None:
    device.machine.systemctl("stop", *UNITS)
    device.done("dpkg", "--unpack", device.new)
    device.done("dpkg", "--remove", "ingestd")
    assert device.machine.run("sh", "-c", f"ls {FLAGS}").stdout == ""
    device.install(device.new)
    assert device.active()["ingestd"] == "active"


def test_what_was_only_skipped_until_it_is_filled_in_was_stopped_by_nobody(device: Packages) -> None:
    device.machine.systemctl("stop", *UNITS)
    device.machine.systemctl("enable", *UNITS)
    device.done("mv", "/etc/ingestd/token", "/root/token")
    device.machine.systemctl("start", *UNITS)
    assert device.active() == dict.fromkeys(UNITS, "inactive")
    device.done("mv", "/root/token", "/etc/ingestd/token")
    device.install(device.new, "--reinstall")
    assert device.active() == dict.fromkeys(UNITS, "active")


def test_so_does_what_was_disabled_or_masked(device: Packages) -> None:
    device.machine.systemctl("stop", *UNITS)
    device.machine.systemctl("disable", "ingestd-hooks")
    device.machine.systemctl("mask", "ingestd")
    try:
        device.install(device.new)
        assert device.active() == dict.fromkeys(UNITS, "inactive")
        assert device.enabled() == {"ingestd": "masked", "ingestd-hooks": "disabled"}
    finally:
        device.machine.systemctl("unmask", "ingestd")
        device.machine.systemctl("enable", *UNITS)


def test_a_policy_against_restarts_is_followed(device: Packages) -> None:
    device.machine.systemctl("start", *UNITS)
    starts = device.starts()
    device.machine.write(POLICY, "#!/bin/sh\nexit 101\n", 0o755)
    try:
        said = device.install(device.old, *DOWN)
    finally:
        device.done("rm", POLICY)
    assert "does not start" not in said
    assert device.starts() == starts
    assert device.active() == dict.fromkeys(UNITS, "active")


def test_handlers_that_run_unasked_are_restarted_too(device: Packages) -> None:
    device.machine.systemctl("start", *UNITS)
    device.machine.systemctl("disable", "ingestd-hooks")
    starts = device.starts()
    device.install(device.new, "--reinstall", *DOWN)
    assert more_starts(device, starts) == ONCE_MORE
    assert device.enabled() == {"ingestd": "enabled", "ingestd-hooks": "disabled"}
