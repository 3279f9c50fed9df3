"""`ingestctl watch`: what its keys do, and what they show of what came of it."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ingestd.ctl import feed as ctl_feed
from ingestd.ctl.feed import Feed
from ingestd.ctl.paint import Style
from ingestd.ctl.reading import Reading
from ingestd.ctl.watch import mute_or_unmute
from tests.rig.process import wait_until
from tests.unit.control_case import control
from tests.unit.peers import GUARD_S


def wait_answered(feed: Feed) -> None:
    """Polls until the daemon has answered: one that is late is asked again."""

    def answered() -> bool:
        feed.poll()
        return feed.away is None and feed.reading is not None

    wait_until(answered, GUARD_S, "an answer")


def test_a_mute_that_a_restart_will_not_know_is_told_in_red(tmp_path: Path) -> None:
    refused: list[str] = []
    with control(tmp_path) as served:
        feed = Feed(served.path, [], refused.append)
        wait_answered(feed)
        assert mute_or_unmute(feed, Reading({})) is None, "it is kept, and seen all over the screen"
        assert served.mute.on
        (tmp_path / "sound.json").unlink()
        (tmp_path / "sound.json").mkdir()  # even root can't write it now
        for muted, what in ((True, "the microphone is open"), (False, "the microphone is muted")):
            told = mute_or_unmute(feed, Reading({"uplink": {"muted": muted}}))
            assert told is not None
            assert told.style is Style.BAD
            assert told.text.startswith(f"{what}, but a restart will not know: ")
            assert "sound.json" in told.text
            assert served.mute.on is not muted
        feed.close()
    assert refused == []


def test_a_slow_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctl_feed, "_DONE_S", GUARD_S)  # a machine may be late beside a slow disk
    refused: list[str] = []
    sync = os.fsync

    def slow(file: int) -> None:
        time.sleep(1.1)  # longer than the screen may stand still
        sync(file)

    with control(tmp_path) as served:
        feed = Feed(served.path, [], refused.append)
        wait_answered(feed)
        monkeypatch.setattr(os, "fsync", slow)
        assert mute_or_unmute(feed, Reading({})) is None
        wait_answered(feed)
        feed.close()
    assert (refused, served.mute.on) == ([], True)


def test_a_daemon_that_is_gone_is_told_instead(tmp_path: Path) -> None:
    refused: list[str] = []
    with control(tmp_path) as served:
        feed = Feed(served.path, [], refused.append)
        assert mute_or_unmute(feed, Reading({})) is None
    feed.close()
    assert refused == ["no ingestd answers"]
