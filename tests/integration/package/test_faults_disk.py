"""A disk that is full or read-only under an installed device: the call goes on, and a start does too.

The device's state and its journal are on small disks of their own, which are filled or made read-only as a whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ingestd.core.catalog import message_id
from ingestd.core.remedies_for_parts import NOT_KEPT
from tests.rig.booted_site import CONFIG, BootedSite, why_not

STATE = "/var/lib/ingestd"
LOG = "/var/log"
DISKS = f"""
tmpfs {STATE} tmpfs size=64k,mode=0700 0 0
tmpfs {LOG} tmpfs size=16m,mode=0755 0 0
"""
MORE_THAN_A_JOURNAL = 40
"""Of these lines: what journald had allocated before is used up by them."""
WRITES_30_KB = "head -c 30000 /dev/urandom | base64 -w0 | systemd-cat -t filler"

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def booted() -> Iterator[BootedSite]:
    if reason := why_not():
        pytest.skip(reason)
    with BootedSite() as site:
        site.install()
        site.machine.write("/etc/fstab", DISKS)
        site.machine.write("/etc/systemd/journald.conf.d/disk.conf", "[Journal]\nStorage=persistent\n")
        site.machine.boot()
        yield site


@pytest.fixture
def site(booted: BootedSite) -> Iterator[BootedSite]:
    """In the room before and after, over the same session unless the test took another."""
    booted.wait_state("streaming")
    booted.all_seen()
    yield booted
    booted.wait_state("streaming")
    booted.flows()


def free_kib(site: BootedSite, disk: str) -> int:
    """What can still be written there."""
    return int(site.machine.run("df", "--output=avail", disk).stdout.split()[1])


@contextmanager
def full(site: BootedSite, disk: str) -> Iterator[None]:
    """No block is left there; files that there are can still be read."""
    filled = site.machine.run("sh", "-c", f"cat /dev/zero >{disk}/filler; sync")
    try:
        assert "No space left" in filled.stderr
        assert free_kib(site, disk) == 0
        yield
    finally:
        site.machine.run("rm", "-f", f"{disk}/filler")


@contextmanager
def no_memory_instead(site: BootedSite) -> Iterator[None]:
    """journald, which takes memory where its disk is full, gets none."""
    assert site.machine.run("mount", "-t", "tmpfs", "-o", "nr_inodes=1", "none", "/run/log").returncode == 0
    try:
        yield
    finally:
        assert site.machine.run("umount", "/run/log").returncode == 0


@contextmanager
def read_only(site: BootedSite) -> Iterator[None]:
    """The whole file system of the state, for every process."""
    assert site.machine.run("mount", "-o", "remount,ro", STATE).returncode == 0
    try:
        yield
    finally:
        assert site.machine.run("mount", "-o", "remount,rw", STATE).returncode == 0


def mutes(site: BootedSite, *, kept: bool) -> None:
    """It is muted and opened again, says whether a restart would know, and the call goes on."""
    calls = len(site.room.calls())
    done = site.machine.run("ingestctl", "mute")
    status = site.wait_state("streaming")
    assert (status["uplink"]["muted"], status["uplink"]["mute_kept"]) == (True, kept), done.stdout + done.stderr
    site.machine.run("ingestctl", "unmute")
    site.flows()
    assert len(site.room.calls()) == calls


def changes_configuration(site: BootedSite, gain_db: float) -> None:
    """A reload takes over another gain, kept or not."""
    config = json.loads(site.get(CONFIG))
    config["audio"]["playback"]["gain_db"] = gain_db
    site.put(CONFIG, json.dumps(config))
    site.machine.systemctl("reload", "ingestd")
    assert site.wait_state("streaming")["downlink"]["gain_db"] == gain_db


def not_kept(site: BootedSite, since_s: float, why: str) -> None:
    """The journal says of both what could not be written, and explains it."""
    told = f"last-good.yaml: {why}", f"sound.json: {why}"
    site.said(since_s, *(f"can't write {STATE}/{what}" for what in told))
    entry = site.explained(message_id(NOT_KEPT[0]))
    assert [what for what in told if what not in entry] == [], entry


def restarts(site: BootedSite) -> None:
    """It comes up as ever."""
    site.machine.systemctl("restart", "ingestd")
    site.fresh_frame_s()


def test_all_is_kept_while_there_is_room(site: BootedSite) -> None:
    mutes(site, kept=True)


def test_the_disk_of_the_state_is_full(site: BootedSite) -> None:
    began_s = time.monotonic()
    with full(site, STATE):
        mutes(site, kept=False)
        changes_configuration(site, -3.0)
        not_kept(site, began_s, "No space left on device")
        restarts(site)
    mutes(site, kept=True)


def test_the_disk_of_the_state_is_read_only(site: BootedSite) -> None:
    began_s = time.monotonic()
    with read_only(site):
        mutes(site, kept=False)
        changes_configuration(site, -4.0)
        not_kept(site, began_s, "Read-only file system")
    mutes(site, kept=True)
    with read_only(site):
        restarts(site)
        mutes(site, kept=False)
    restarts(site)  # what a service began with stays read-only in its own view of the disk
    mutes(site, kept=True)


def test_a_mute_that_could_not_be_written_outlives_a_crash(site: BootedSite) -> None:
    with full(site, STATE):
        site.machine.run("ingestctl", "mute")
        pid = site.machine.show("ingestd", "MainPID")["MainPID"]
        site.machine.run("kill", "-KILL", pid)
        site.fresh_frame_s()
        assert site.wait_state("streaming")["uplink"]["muted"]
        site.machine.run("ingestctl", "unmute")
    mutes(site, kept=True)


def test_the_disk_of_the_journal_is_full(site: BootedSite) -> None:
    calls = len(site.room.calls())
    read_anew = "the configuration was read anew"
    began_s = time.monotonic()
    site.machine.run("ingestctl", "reload")
    site.said(began_s, read_anew)
    with full(site, LOG), no_memory_instead(site):
        site.machine.run("sh", "-c", f"for _ in $(seq {MORE_THAN_A_JOURNAL}); do {WRITES_30_KB}; done")
        assert free_kib(site, LOG) == 0
        began_s = time.monotonic()
        for _ in range(10):
            assert site.machine.run("ingestctl", "reload").returncode == 0
        site.flows(100)
        # What journald has not read yet would find room as soon as there is some.
        assert site.machine.run("journalctl", "--sync").returncode == 0
    assert len(site.room.calls()) == calls
    assert read_anew not in site.said(began_s), "there was no room for it"
    began_s = time.monotonic()
    site.machine.systemctl("reload", "ingestd")
    site.said(began_s, read_anew)
