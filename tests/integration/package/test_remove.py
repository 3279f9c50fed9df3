"""What removal keeps and what a purge leaves: nothing, by the comparison of all files that piuparts makes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.package.upgrade_case import UNITS, Packages, packages
from tests.rig.booted_site import CONFIG, why_not

ENABLED = "/etc/systemd/system/multi-user.target.wants/ingestd.service"

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def device() -> Iterator[Packages]:
    """Booted, with nothing of ingestd's."""
    if reason := why_not():
        pytest.skip(reason)
    with packages() as device:
        device.boot()
        yield device


def run_all(device: Packages) -> None:
    """Installed, filled in, with handlers, in the room."""
    device.install(device.new)
    device.fill_in()
    device.machine.systemctl("start", "ingestd")
    device.machine.systemctl("enable", "--now", "ingestd-hooks")
    device.site.wait_state("streaming")


def test_where_systemd_does_not_run_it_is_installed_for_the_next_boot(device: Packages) -> None:
    """In a chroot, as images are made."""
    device.machine.chroot("apt-get", "--no-install-recommends", "install", device.new)
    assert (device.machine.path / ENABLED.lstrip("/")).is_symlink()
    assert (device.machine.path / CONFIG.lstrip("/")).read_text().startswith("#")
    device.machine.chroot("apt-get", "--yes", "purge", "ingestd")
    device.machine.systemctl("daemon-reload")
    assert device.left() == []


def test_a_removed_package_comes_back_as_it_was(device: Packages) -> None:
    run_all(device)
    device.done("ingestctl", "mute")
    theirs = device.theirs()
    device.apt("--yes", "remove", "ingestd")
    assert {path: told for path, told in device.theirs().items() if path in theirs} == theirs
    assert device.machine.run("pgrep", "-af", "ingestd").stdout == ""
    assert device.machine.run("ls", "/run").stdout.count("ingestd") == 0
    assert device.active() == dict.fromkeys(UNITS, "inactive")
    device.install(device.new)
    assert device.active() == dict.fromkeys(UNITS, "active")
    assert device.heard()["muted"]
    assert device.theirs() == theirs


def test_what_a_first_installation_says_last_is_what_to_do(device: Packages) -> None:
    device.done("dpkg", "--purge", "ingestd")
    said = device.done("sh", "-c", f"apt-get --no-install-recommends install {device.new} 2>&1 </dev/null")
    ours = [line for line in said.splitlines() if line and not line.startswith("Processing triggers")]
    assert ours[-1] == "ingestd: the service waits to be filled in: ingestctl setup", said


def test_a_purge_leaves_nothing(device: Packages) -> None:
    if not device.site.status():
        run_all(device)
    assert "ingestd" in device.machine.run("journalctl", "--list-catalog").stdout
    device.apt("--yes", "purge", "ingestd")
    assert device.left() == []


def test_nor_does_one_of_what_was_never_filled_in_or_deleted_by_hand(device: Packages) -> None:
    device.install(device.new)
    device.apt("--yes", "remove", "ingestd")
    device.done("rm", "-rf", "/etc/ingestd", "/var/lib/ingestd")
    device.done("dpkg", "--purge", "ingestd")
    assert device.left() == []


def test_a_purge_empties_a_file_system_of_its_own_and_leaves_what_is_mounted_in_it(device: Packages) -> None:
    theirs = "/var/lib/ingestd/theirs"
    device.done("mkdir", "/var/lib/ingestd")
    device.done("mount", "-t", "tmpfs", "state", "/var/lib/ingestd")
    device.install(device.new)
    device.done("mkdir", theirs, "/var/lib/ingestd/a")
    device.done("touch", "/var/lib/ingestd/a/b", "/var/lib/ingestd/.c")
    device.done("mount", "-t", "tmpfs", "theirs", theirs)
    device.done("touch", f"{theirs}/kept")
    said = device.apt("--yes", "purge", "ingestd")
    assert "ingestd: /var/lib/ingestd is left, as said above: remove it by hand" in said
    assert device.done("find", "/var/lib/ingestd", "-mindepth", "1").split() == [theirs, f"{theirs}/kept"]
    device.done("umount", theirs, "/var/lib/ingestd")
    device.done("rmdir", "/var/lib/ingestd")
    assert device.left() == []


def test_a_purge_succeeds_while_somebody_runs_a_program_as_its_user(device: Packages) -> None:
    device.install(device.new)
    device.done("systemd-run", "--quiet", "--unit=somebody", "--uid=ingestd", "sleep", "1000")
    said = device.apt("--yes", "purge", "ingestd")
    assert "ingestd is currently used by process" in said
    device.machine.systemctl("stop", "somebody")
    device.done("userdel", "ingestd")
    assert device.left() == []
