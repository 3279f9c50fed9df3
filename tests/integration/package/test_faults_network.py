"""How soon an installed device is back in the room after its cable, or the room itself, was away.

By the policy, not by whichever wait happened to be next: a cable that is back ends the wait.
"""

from __future__ import annotations

import time

import pytest

from ingestd.core.catalog import message_id
from ingestd.core.times import DEFAULT
from tests.integration.package.faults_case import TOKEN_FILE, refused, same_process
from tests.rig.booted_site import BootedSite
from tests.rig.figures import Figures

CUT_S = 10.0
SEEN_CUT_S = 2.0
"""The device knows its own link: half a second of jitter, and a session."""
UNSEEN_CUT_S = 3.0
NOTICED_S = 2.0
"""To be told of it in the journal, beside what the policy itself waits for."""
SESSION_S = 1.0
"""To have one and to send the first frame, over TLS, on a busy machine."""

pytestmark = [pytest.mark.root, pytest.mark.waits, pytest.mark.timeout(1200)]


def epoch(site: BootedSite) -> int:
    """How many sessions have been asked for."""
    status = site.status()
    assert status is not None
    return int(status["session"]["epoch"])


def told_s(site: BootedSite, name: str) -> float:
    """When the journal was told of that fault last (CLOCK_MONOTONIC), however late somebody asks it."""
    entries = [each for each in site.machine.journal("ingestd") if each.get("MESSAGE_ID") == message_id(name)]
    return int(entries[-1]["__MONOTONIC_TIMESTAMP"]) / 1e6


def test_the_cable_is_cut_at_the_devices_end(rested: BootedSite, figures: Figures) -> None:
    with same_process(rested):
        cut_s = time.monotonic()
        rested.network.link_down("device")
        refused(rested, "no-way")
        time.sleep(max(0.0, cut_s + CUT_S - time.monotonic()))
        back_s = time.monotonic()
        rested.network.link_up("device")
        took_s = rested.fresh_frame_s() - back_s
        assert figures.add("deb_cut_at_device_end_recovery_s", took_s, max=SEEN_CUT_S)


def test_the_cable_is_cut_at_its_far_end(rested: BootedSite, figures: Figures) -> None:
    """A black hole: what was sent is not acknowledged, then nobody is there."""
    with same_process(rested):
        cut_s = time.monotonic()
        rested.network.link_down("far")
        rested.explained(message_id("nothing-acknowledged"), "has been acknowledged for")
        assert told_s(rested, "nothing-acknowledged") - cut_s < DEFAULT.held_s + NOTICED_S
        refused(rested, "no-way", "No route to host")
        time.sleep(max(0.0, cut_s + CUT_S - time.monotonic()))
        back_s = time.monotonic()
        rested.network.link_up("far")
        took_s = rested.fresh_frame_s() - back_s
        assert figures.add("deb_cut_at_far_end_recovery_s", took_s, max=UNSEEN_CUT_S)


def test_the_room_is_restarted(rested: BootedSite, figures: Figures) -> None:
    """Nothing tells of its return: the next attempt finds it, and no wait before that is above its ceiling."""
    with same_process(rested):
        began_s, before = time.monotonic(), epoch(rested)
        rested.room.stop()
        refused(rested, "connection-refused")
        rested.open_room(rested.get(TOKEN_FILE))
        back_s, in_vain = time.monotonic(), epoch(rested) - before
        ceiling_s = DEFAULT.backoff_base_s * 2**in_vain  # the first wait's is the base, and each attempt doubles it
        took_s = max(0.0, rested.fresh_frame_s(ceiling_s + 20) - back_s)
        assert figures.add("deb_room_restarted_recovery_s", took_s, max=ceiling_s + SESSION_S), in_vain
        rested.said(began_s, "streaming: ")
