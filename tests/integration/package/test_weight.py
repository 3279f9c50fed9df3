"""What an installed device that is in the room takes of its disk, its memory and its rest."""

from __future__ import annotations

import time

import pytest

from tests.rig.booted_site import BootedSite
from tests.rig.figures import Figures

RSS_MIB = 36.0 + 3.4
"""The daemon's own, and what ALSA's pulse plugin takes with its libraries; kernel ALSA has none of them."""
OUR_THREADS = "ingestd"
"""The name of each; PulseAudio's client gives its threads another one."""
WATCHED_S = 10.0

pytestmark = [pytest.mark.root, pytest.mark.waits, pytest.mark.timeout(1200)]


def test_what_it_takes_on_the_disk(site: BootedSite, figures: Figures) -> None:
    """With the bytecode that its installation has made."""
    listed = site.machine.run("dpkg", "-L", "ingestd").stdout.splitlines()
    compiled = set(site.machine.path.glob("usr/lib/python3/dist-packages/ingestd/**/__pycache__/*"))
    assert compiled
    files = {site.machine.path / path.lstrip("/") for path in listed} | compiled
    found = [file for file in files if file.is_file() and not file.is_symlink()]
    figures.add("deb_on_disk_with_bytecode_kib", sum(file.stat().st_size for file in found) / 1024)


def test_memory_and_wake_ups(site: BootedSite, figures: Figures) -> None:
    """The threads of PulseAudio's client are the virtual sound card's: on kernel ALSA there are none of them."""
    before, began_s = switches(site), time.monotonic()
    time.sleep(WATCHED_S)
    after, took_s = switches(site), time.monotonic() - began_s
    per_s = {thread: (count - before.get(thread, count)) / took_s for thread, count in after.items()}
    ours = [count for (name, _), count in per_s.items() if name == OUR_THREADS]
    assert len(ours) >= 5, "supervisor, capture, sender, receiver, control"
    figures.add("deb_wakeups_per_s", sum(ours))
    figures.add("deb_wakeups_of_pulse_per_s", sum(per_s.values()) - sum(ours))
    assert figures.add("deb_rss_with_pulse_mib", rss_kib(site) / 1024, max=RSS_MIB)


def main_pid(site: BootedSite) -> str:
    """The daemon's process id, in the machine."""
    return site.machine.show("ingestd", "MainPID")["MainPID"]


def rss_kib(site: BootedSite) -> int:
    """What the daemon has in memory."""
    return int(site.machine.run("grep", "VmRSS", f"/proc/{main_pid(site)}/status").stdout.split()[1])


def switches(site: BootedSite) -> dict[tuple[str, str], int]:
    """How often each thread of the daemon, by name and id, was taken from a core, of itself or not."""
    counts = "awk '/ctxt/ {n += $2} END {print n}' $id/status"
    script = f'cd /proc/{main_pid(site)}/task && for id in *; do echo "$(cat $id/comm) $id $({counts})"; done'
    found: dict[tuple[str, str], int] = {}
    for line in site.machine.run("sh", "-c", script).stdout.splitlines():
        if len(words := line.rsplit(maxsplit=2)) == 3:  # fewer of a thread that ended meanwhile
            name, thread, count = words
            found[name, thread] = int(count)
    return found
