"""Figures of a daemon in a call: as Prometheus wants them, all that alerts and dashboard ask for, at nobody's cost."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from ingestd.control.client import ControlClient
from ingestd.core.jwt import dates_of
from tests.rig.figures import Figures
from tests.rig.free_port import free_port
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.memory_ports import frame_numbers
from tests.rig.process import wait_until
from tests.rig.promtool import needs_promtool, promtool
from tests.standin.client import StandIn

ETC: Final = Path(__file__).parents[2] / "etc"
GUARD_S: Final = 30.0
STORM_S: Final = 4.0
SCRAPE: Final = b"GET /metrics HTTP/1.1\r\nHost: device\r\n\r\n"
QUIET_S: Final = 2.0


@dataclass
class Scene:
    """A device in a room that serves figures."""

    room: StandIn
    device: MemoryDevice
    address: tuple[str, int]

    def text(self) -> bytes:
        """What Prometheus would get."""
        host, port = self.address
        with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=GUARD_S) as answer:
            found: bytes = answer.read()
            return found

    def value(self, name: str, **labels: str) -> float:
        """Of one figure now."""
        for family in text_string_to_metric_families(self.text().decode()):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return float(sample.value)
        raise KeyError(name)

    def cpu_s(self) -> float:
        """All that the daemon has used."""
        return self.value("process_cpu_seconds_total")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("metrics")
    address = ("127.0.0.1", free_port())
    with StandIn(tls=True) as room:
        config = device_config(room.base_url, room.token, room.ca_file, folder)
        config["metrics"] = {"listen": f"{address[0]}:{address[1]}"}
        with MemoryDevice(folder, config) as device:
            room.wait_joined()
            room.wait_received(0, 50)
            yield Scene(room, device, address)
            assert device.stop()["exit"] == 0


def helps(text: str) -> dict[str, str]:
    """Name → what it is said to mean."""
    return dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))


@needs_promtool
def test_prometheus_finds_no_fault_in_them(scene: Scene) -> None:
    assert promtool("check", "metrics", stdin=scene.text()) == ""


def test_they_say_what_the_status_says(scene: Scene) -> None:
    assert scene.value("ingestd_state", state="streaming") == 1.0
    assert scene.value("ingestd_in_room") == 1.0
    assert scene.value("ingestd_device_lost", device="capture") == 0.0
    before = scene.device.status()["uplink"]["frames"]

    def later() -> float:
        """Than those: the same text is served again for a while."""
        value = scene.value("ingestd_uplink_frames_total")
        return value if value > before else 0.0

    between = wait_until(later, GUARD_S, "more frames")
    assert before < between <= scene.device.status()["uplink"]["frames"]


def test_they_say_when_the_token_expires(scene: Scene) -> None:
    dates = dates_of(scene.room.token)
    assert dates is not None
    assert scene.value("ingestd_token_expiry_timestamp_seconds") == dates.expires


def test_of_a_muted_microphone_they_say_what_they_mean(scene: Scene) -> None:
    said = helps(scene.text().decode())
    with ControlClient(scene.device.socket, GUARD_S) as client:
        client.call("mute")
    wait_until(lambda: scene.value("ingestd_uplink_muted") == 1.0, GUARD_S, "the mute")

    def none_of_25_is_silence() -> bool:
        silence = scene.value("ingestd_uplink_silence_frames_total")
        enough = scene.value("ingestd_uplink_frames_total") + 25
        wait_until(lambda: scene.value("ingestd_uplink_frames_total") >= enough, GUARD_S, "half a second of mute")
        return scene.value("ingestd_uplink_silence_frames_total") == silence

    # Not at the first look, perhaps: a machine that was late has some.
    wait_until(none_of_25_is_silence, GUARD_S, "a mute without silence")
    assert "a mute is none" in said["ingestd_uplink_silence_frames_total"]
    assert scene.value("ingestd_uplink_level_dbfs") > -90.0
    assert "before a mute" in said["ingestd_uplink_level_dbfs"]
    with ControlClient(scene.device.socket, GUARD_S) as client:
        client.call("unmute")


def test_all_that_alerts_and_dashboard_ask_for_is_there(scene: Scene) -> None:
    served = set(re.findall(r"^# TYPE (\S+)", scene.text().decode(), re.MULTILINE))
    rules = yaml.safe_load((ETC / "prometheus/ingestd.rules.yaml").read_text())["groups"][0]["rules"]
    board = json.loads((ETC / "grafana/ingestd.json").read_text())
    asked = [rule["expr"] for rule in rules]
    asked += [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    names = {name for expr in asked for name in re.findall(r"\b(?:ingestd|process)_\w+", expr)}
    assert len(names) > 30
    assert names <= served


def test_nothing_secret_is_in_them(scene: Scene) -> None:
    text = scene.text().decode()
    assert scene.room.token not in text
    assert scene.device.status()["session"]["call_id"] not in text
    assert "abcd-efgh-ijkl" not in text


def test_a_storm_of_clients_costs_the_call_nothing(scene: Scene, figures: Figures) -> None:
    began_s, cpu_s = time.monotonic(), scene.cpu_s()
    time.sleep(QUIET_S)
    quiet = (scene.cpu_s() - cpu_s) / (time.monotonic() - began_s)
    start, cpu_s = scene.room.call(0).received_frames, scene.cpu_s()
    began_s = time.monotonic()
    connects = 0
    with contextlib.ExitStack() as stack:
        for _ in range(20):  # these never finish their request
            slow = stack.enter_context(socket.create_connection(scene.address, GUARD_S))
            slow.sendall(SCRAPE[:-2])
        while time.monotonic() - began_s < STORM_S:
            with socket.socket() as sock:
                sock.settimeout(0.05)
                with contextlib.suppress(OSError):
                    sock.connect(scene.address)
                    sock.sendall(SCRAPE)
            connects += 1
    storm = (scene.cpu_s() - cpu_s) / (time.monotonic() - began_s)
    numbers = frame_numbers(scene.room.received(0, start).samples.reshape(-1, 160))
    assert np.all(np.diff(numbers) == 1), "every frame, once, in order"
    assert len(numbers) >= 0.9 * 50 * STORM_S
    figures.add("metrics_storm_connects", connects)
    assert figures.add("metrics_storm_cpu_more_percent", 100.0 * (storm - quiet), max=15.0)


def test_a_port_that_is_taken_is_a_fault_and_no_end(scene: Scene, tmp_path: Path) -> None:
    config = device_config(scene.room.base_url, scene.room.token, scene.room.ca_file, tmp_path)
    config["session"]["participant"]["id"] = "another"
    host, port = scene.address
    config["metrics"] = {"listen": f"{host}:{port}"}
    with MemoryDevice(tmp_path, config) as device:
        wait_until(device.socket.exists, GUARD_S, "the control socket")
        wait_until(lambda: device.status()["state"] == "streaming", GUARD_S, "the call")
        faults = wait_until(lambda: device.status()["faults"], GUARD_S, "the fault")
        assert [(fault["area"], fault["name"]) for fault in faults] == [("metrics", "metrics-unavailable")]
        assert f"{host}:{port}" in faults[0]["what"]
        assert "metrics.listen" in faults[0]["remedy"]
        assert device.stop()["exit"] == 0
