"""What goes wrong around an installed device, on a booted Debian 13: what it says of it, and how it comes back.

One device, in the room; each test leaves it there. How soon it is back after a cut is in test_faults_network.py, disks
are in test_faults_disk.py.
"""

from __future__ import annotations

import json
import time

import pytest

from ingestd.core.catalog import device_fault, message_id
from ingestd.core.remedies_for_parts import LAST_GOOD, RELOAD
from tests.integration.package.faults_case import TOKEN_FILE, lost, refused, same_process
from tests.rig.booted_site import CONFIG, BootedSite
from tests.rig.process import wait_until
from tests.standin.client import SessionFault, SocketFault

CUT_S = 5.0
GUARD_S = 30.0
BOTH_LOST = "capture device lost; playback device lost"
AT_ONCE_S = 10.0
"""What only a person can mend is tried again after 30 s at least: sooner than that it was told of the mending."""
DEVICES_S = 5.0
"""Looked for twice a second; with what it takes to ask, on a busy machine."""

pytestmark = [pytest.mark.root, pytest.mark.timeout(1200)]


def test_a_backend_that_asks_to_wait(rested: BootedSite) -> None:
    with same_process(rested):
        began_s = time.monotonic()
        rested.room.fail_sessions(SessionFault(status=429, retry_after="4"), times=100)
        rested.cut()
        refused(rested, "rate-limited")
        rested.room.clear_faults()
        assert rested.fresh_frame_s() - began_s >= 4.0


def test_a_backend_in_trouble(rested: BootedSite) -> None:
    with same_process(rested):
        rested.room.fail_sessions(SessionFault(status=500, message="oops"), times=100)
        rested.cut()
        refused(rested, "backend-trouble", "answered 500")
        rested.room.clear_faults()
        rested.fresh_frame_s(40)


def test_a_corrupt_token_and_a_good_one_again(site: BootedSite) -> None:
    unfit = "has a space, a control character or a character outside ASCII"
    began_s = time.monotonic()
    with same_process(site):
        for content, why in (("\x00\x01\x1b[31mbinary", unfit), ("", "is empty"), ("two words", unfit)):
            site.put(TOKEN_FILE, content)
            site.hang_up()
            assert why in refused(site, "token-missing", TOKEN_FILE)["reason"]
            told = site.said(began_s, unfit)  # of the first: what comes again soon is not told again
            assert [part for part in ("\x1b", "binary") if part in told] == []
            wrote_s = time.monotonic()
            site.put(TOKEN_FILE, site.room.mint_token())
            assert site.fresh_frame_s() - wrote_s < AT_ONCE_S


def test_a_token_that_the_backend_refuses_and_a_fresh_one(site: BootedSite) -> None:
    with same_process(site):
        for status, name in ((401, "unauthorized"), (403, "forbidden")):
            began_s = time.monotonic()
            site.room.fail_sessions(SessionFault(status=status, message="no \x1b[2J"), times=100)
            site.hang_up()
            refused(site, name, f"answered {status}")
            assert "\x1b" not in site.said(began_s, f"answered {status}")
            site.room.clear_faults()
            wrote_s = time.monotonic()
            site.put(TOKEN_FILE, site.room.mint_token())
            assert site.fresh_frame_s() - wrote_s < AT_ONCE_S


def test_a_room_that_is_not_known_and_a_reload(site: BootedSite) -> None:
    with same_process(site):
        site.room.fail_sessions(SessionFault(status=404, message="no such room"), times=100)
        site.hang_up()
        refused(site, "not-found", "answered 404")
        site.room.clear_faults()
        mended_s = time.monotonic()
        site.machine.systemctl("reload", "ingestd")
        assert site.fresh_frame_s() - mended_s < AT_ONCE_S


def test_a_good_and_a_bad_reload(site: BootedSite) -> None:
    good = site.get(CONFIG)
    calls = len(site.room.calls())
    with same_process(site):
        began_s = time.monotonic()
        site.put(CONFIG, '{"sesion": {}, "backend": {"url": 7}}')
        site.machine.systemctl("reload", "ingestd")
        site.said(began_s, "sesion: is not a key ingestd knows; did you mean session?", "nothing has changed")
        assert "sesion: is not a key" in site.explained(message_id(RELOAD[0]))
        assert "the last reload was refused" in site.shown()
        site.flows()
        site.put(CONFIG, good.replace('"speaker"}', '"speaker", "gain_db": -6}'))
        site.machine.systemctl("reload", "ingestd")
        assert site.wait_state("streaming")["downlink"]["gain_db"] == -6
        assert len(site.room.calls()) == calls, "neither takes a session"
        site.put(CONFIG, good.replace('"lobby"', '"gate"'))
        site.machine.systemctl("reload", "ingestd")
        site.fresh_frame_s()
        assert site.room.calls()[-1].room_id == "gate"
        site.put(CONFIG, good)
        site.machine.systemctl("reload", "ingestd")
        site.fresh_frame_s()


def test_an_empty_configuration_is_no_end_while_there_is_a_last_good_one(site: BootedSite) -> None:
    good = site.get(CONFIG)
    began_s = time.monotonic()
    site.put(CONFIG, "")
    site.machine.systemctl("restart", "ingestd")
    site.fresh_frame_s()
    status = site.wait_state("streaming")
    assert status["config"]["last_good"]
    assert any(CONFIG in fault for fault in status["config"]["faults"])
    site.said(began_s, "is empty", "then reload the service")
    assert f"{CONFIG} can't be used: this device runs on the last good" in site.explained(message_id(LAST_GOOD[0]))
    assert "runs on the last good configuration" in site.shown()
    assert CONFIG in site.machine.run("ingestctl", "status").stdout
    site.put(CONFIG, good)
    site.machine.systemctl("reload", "ingestd")
    assert site.wait_state("streaming")["config"] == {"last_good": False, "faults": []}


def test_a_drop_in_that_only_root_may_read(site: BootedSite) -> None:
    drop_in = "/etc/ingestd/conf.d/gain.yaml"
    site.machine.write(drop_in, "audio: {capture: {gain_db: 3}}\n", 0o600)
    with same_process(site):
        for program in ("ingestd", "ingestd-hooks"):
            checked = site.machine.run(program, "--check")
            assert checked.returncode == 78
            assert f"may not read {drop_in}; chgrp ingestd {drop_in} && chmod 640 {drop_in}" in checked.stderr
        site.machine.systemctl("reload", "ingestd")
        assert f"; the last reload was refused: {drop_in}: can't be read" in site.shown()
        assert site.machine.run("ingestctl", "status").returncode == 5
        doctor = json.loads(site.machine.run("ingestctl", "--json", "doctor", "--no-session").stdout)
        wrong = [check["what"] for check in doctor["checks"] if check["status"] == "failed"]
        assert len([what for what in wrong if drop_in in what]) == 2, "as it is now, and as the daemon found it"
        site.machine.run("chgrp", "ingestd", drop_in)
        site.machine.run("chmod", "640", drop_in)
        assert site.machine.run("ingestd", "--check").returncode == 0
        site.machine.systemctl("reload", "ingestd")
        assert "refused" not in site.shown()
        assert site.machine.run("ingestctl", "status").returncode == 0
        site.machine.run("rm", drop_in)
        site.machine.systemctl("reload", "ingestd")


def test_without_a_last_good_one_it_fails_once_and_says_why(site: BootedSite) -> None:
    good = site.get(CONFIG)
    began_s = time.monotonic()
    site.put(CONFIG, "")
    site.machine.systemctl("stop", "ingestd")
    site.machine.run("rm", "/var/lib/ingestd/last-good.yaml")
    site.machine.run("systemctl", "start", "ingestd")
    found = site.machine.show("ingestd", "ActiveState", "Result", "ExecMainStatus", "NRestarts")
    expected = {"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "78", "NRestarts": "0"}
    assert found == expected
    shown = site.machine.run("systemctl", "status", "--no-pager", "ingestd").stdout
    assert f"{CONFIG}: is empty, as by a power cut" in shown
    time.sleep(2.0)
    assert site.machine.show("ingestd", *expected) == expected, "it is not tried again"
    site.said(began_s, "1 fault in the configuration")
    site.put(CONFIG, good)
    site.machine.systemctl("start", "ingestd")
    site.fresh_frame_s()


def test_everything_is_pulled_at_once(rested: BootedSite) -> None:
    with same_process(rested):
        rested.network.link_down()
        rested.sound.mic.unplug()
        rested.sound.speaker.unplug()
        rested.room.kill()
        time.sleep(CUT_S)
        rested.wait_state("waiting", "creating")
        wait_until(lambda: lost(rested) == {"capture", "playback"}, GUARD_S, "the loss of both")
        wait_until(lambda: BOTH_LOST in rested.shown(), GUARD_S, "word of it in systemctl status")
        for device in ("capture", "playback"):
            rested.explained(message_id(device_fault(device, unfit=False)))
        rested.open_room(rested.get(TOKEN_FILE))
        rested.sound.speaker.replug()
        rested.network.link_up()
        rested.sound.mic.replug()
        rested.fresh_frame_s(60)
        rested.room.wait_for(lambda: not lost(rested), "both sound devices", DEVICES_S)


def test_a_power_cut_and_network_and_microphone_come_back_later(rested: BootedSite) -> None:
    """It starts without both, and is where it was, with its mute, without anybody."""
    assert rested.machine.run("ingestctl", "mute").returncode == 0
    rested.network.link_down()
    rested.sound.mic.unplug()
    rested.machine.power_off()
    rested.machine.boot()
    assert rested.machine.systemctl("list-units", "--failed", "--plain", "--no-legend") == ""
    assert rested.wait_state("waiting", "creating")["uplink"]["muted"]
    # A thread opens each, and until then it is lost as well.
    wait_until(lambda: lost(rested) == {"capture"}, GUARD_S, "the loudspeaker, and no microphone")
    rested.all_seen()
    rested.network.link_up()
    rested.fresh_frame_s(60)
    rested.sound.mic.replug()
    assert rested.wait_state("streaming")["uplink"]["muted"]
    rested.room.wait_for(lambda: not lost(rested), "the microphone", DEVICES_S)
    assert rested.machine.run("ingestctl", "unmute").returncode == 0


def test_the_session_is_lost_in_every_way_a_server_knows(site: BootedSite) -> None:
    with same_process(site):
        for fault in (SocketFault("abort"), SocketFault("close", code=1011), SocketFault("close", code=1008)):
            site.room.inject(fault)
            site.fresh_frame_s()
