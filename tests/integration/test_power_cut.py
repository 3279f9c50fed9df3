"""A device whose power was cut comes back to its room, whatever that left of its configuration."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ingestd.config import Config
from ingestd.config.lastgood import NAME, LastGood
from ingestd.config.load import read_config
from ingestd.control.client import ControlClient
from ingestd.system.state_files import write_state
from tests.rig.process import end, spawn, wait_until
from tests.standin.client import StandIn

INGESTD = [sys.executable, "-m", "ingestd"]
ON_LAST_GOOD = "this device runs on the last good configuration, of "


class PoweredDevice:
    """A device with a configuration and a state directory, whose power can be cut."""

    def __init__(self, directory: Path, room: StandIn) -> None:
        self.config = directory / "ingestd.yaml"
        self.state = directory / "state"
        self.state.mkdir()
        self.last_good = self.state / NAME
        self.socket = directory / "control.sock"
        self.log = directory / "log"
        token = directory / "token"
        token.write_text(room.token)
        token.chmod(0o600)
        self.text = (
            f"control:\n  socket: {self.socket}\n"
            "audio:\n  capture:\n    device: absent\n  playback:\n    device: absent\n"
            f"backend:\n  url: {room.base_url}/v2/ingest/sessions\n  token_file: {token}\n  ca_file: {room.ca_file}\n"
            "session:\n  room_id: abcd-efgh-ijkl\n  participant:\n    id: device\n    metadata: {}\n"
            "log:\n  level: info\n"
        )

    @contextmanager
    def on(self, text: str | None, wanted: str = "streaming") -> Iterator[subprocess.Popen[bytes]]:
        """In the state `wanted`, with `text` as its configuration, None for no file; then the power is cut."""
        if text is not None:
            self.config.write_text(text)
        with self.log.open("wb") as log:
            daemon = spawn([*INGESTD, "--config", self.config], env={"STATE_DIRECTORY": str(self.state)}, stderr=log)
        try:
            wait_until(lambda: daemon.poll() is not None or self._is(wanted), 20, "the room", every=0.05)
            assert daemon.poll() is None, self.log.read_text()
            yield daemon
        finally:
            daemon.kill()
            end(daemon)

    def refused(self, *more: str, status: int = 78) -> list[str]:
        """What a start says that ends at once, by `status`."""
        done = subprocess.run(
            [*INGESTD, "--config", self.config, *more],
            env={"STATE_DIRECTORY": str(self.state)},
            cwd=Path.cwd(),
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr.splitlines()

    def errors(self) -> list[str]:
        """The messages of the log's lines at error level that tell of the configuration."""
        lines = [line.split(" ERROR ", 1)[1].strip() for line in self.log.read_text().splitlines() if " ERROR " in line]
        return [line for line in lines if str(self.config) in line]

    def status(self) -> dict[str, Any]:
        """What `ingestctl --json status` shows."""
        with ControlClient(self.socket) as client:
            status: dict[str, Any] = client.call("status")
            return status

    def kept(self) -> Config:
        """The last good configuration."""
        valid = LastGood(self.state, write_state).load()
        assert valid is not None
        return valid.config

    def _is(self, state: str) -> bool:
        # The state comes a moment before its reason; that of the start is "starting".
        try:
            status = self.status()
        except OSError:
            return False
        return bool(status["state"] == state and status["reason"] != "starting")


@pytest.fixture
def room() -> Iterator[StandIn]:
    with StandIn(tls=True) as room:
        yield room


@pytest.fixture
def device(tmp_path: Path, room: StandIn) -> PoweredDevice:
    return PoweredDevice(tmp_path, room)


def test_a_file_that_was_cut_off_leaves_the_device_on_the_last_good_one(device: PoweredDevice) -> None:
    text = device.text
    with device.on(text):
        assert device.errors() == []
    kept = device.last_good.read_bytes()
    for length in (0, text.index("url:"), text.index("token_file:") + 7, text.index("ca_file:") + 14, len(text) - 3):
        with device.on(text[:length]):
            first, *faults = device.errors()
            assert ON_LAST_GOOD in first
            assert f"'ingestd --config {device.config} --check'" in first
            assert faults
            assert all(fault.startswith(str(device.config)) for fault in faults)
        assert device.last_good.read_bytes() == kept


def test_a_file_that_was_cut_off_and_is_valid_all_the_same_is_run_on(device: PoweredDevice) -> None:
    with device.on(device.text):
        pass
    with device.on(device.text[: device.text.index("log:")]):
        assert device.errors() == []


def test_a_file_that_came_back_as_zeros_or_not_at_all_too(device: PoweredDevice) -> None:
    with device.on(device.text):
        pass
    with device.on("\0" * 512):
        first, fault = device.errors()
        assert ON_LAST_GOOD in first
        assert "control character" in fault
    device.config = device.config.parent / "absent/ingestd.yaml"
    with device.on(None):
        first, fault = device.errors()
        assert ON_LAST_GOOD in first
        assert "does not exist" in fault


def test_a_configuration_the_daemon_cannot_be_built_from_too(device: PoweredDevice) -> None:
    with device.on(device.text):
        pass
    for old, new, word in (
        ("ca_file: /", "ca_file: /nowhere/", "backend.ca_file"),
        (f"socket: {device.socket}", "socket: /nowhere/c.sock", "/nowhere/c.sock"),
    ):
        with device.on(device.text.replace(old, new)):
            first, fault = device.errors()
            assert ON_LAST_GOOD in first
            assert fault.startswith(f"{device.config}: ")
            assert word in fault


def test_a_mended_file_is_run_on_and_kept(device: PoweredDevice) -> None:
    with device.on(device.text):
        assert device.status()["config"] == {"last_good": False, "faults": []}
    with device.on("nonsense: ["):
        _, fault = device.errors()
        assert device.status()["config"] == {"last_good": True, "faults": [fault]}
    with device.on(device.text.replace("info", "debug")):
        assert device.errors() == []
    assert device.kept().log.level == "debug"


def test_a_file_that_was_mended_meanwhile_is_taken_over_by_a_reload(device: PoweredDevice) -> None:
    with device.on(device.text):
        pass
    with device.on("nonsense: [") as daemon:
        device.config.write_text(device.text.replace("info", "loud"))
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: "is the text 'loud'" in device.log.read_text(), 20, "the fault in the log")
        device.config.write_text(device.text.replace("info", "debug"))
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: device.kept().log.level == "debug", 20, "the mended file")
        assert device.status()["state"] == "streaming"


def test_where_nothing_was_kept_a_bad_file_ends_it(device: PoweredDevice) -> None:
    device.config.write_text("nonsense: [")
    assert "1 fault in the configuration" in device.refused()[-1]
    assert list(device.state.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 300, b"backend: {url: 'https://example.com'}\n"], ids=["empty", "zeros", "another"]
)
def test_where_the_last_good_one_is_damaged_too_both_are_named(device: PoweredDevice, content: bytes) -> None:
    device.config.write_text("nonsense: [")
    device.last_good.write_bytes(content)
    first, second, last = device.refused()
    assert first.startswith(f"{device.config}:")
    assert second.startswith(f"{device.last_good}: is damaged")
    assert "2 faults" in last


def test_where_only_the_start_fails_the_status_asks_for_another_one(device: PoweredDevice) -> None:
    nowhere = device.text.replace(str(device.socket), "/nowhere/c.sock")
    device.config.write_text(nowhere)
    (first, last) = device.refused(status=75)
    assert first.startswith(f"{device.config}: can't listen on /nowhere/c.sock")
    assert "a later start may succeed" in last
    kept = LastGood(device.state, write_state)
    kept.keep(read_config(device.config).tree)
    first, second, _ = device.refused(status=75)
    assert first.startswith(f"{device.config}: can't listen on /nowhere/c.sock")
    assert second.startswith(f"{device.last_good}: can't listen on /nowhere/c.sock")
    device.config.write_text("nonsense: [")
    assert len(device.refused(status=75)) == 3
    device.last_good.write_bytes(b"")
    device.config.write_text(nowhere)
    assert "is damaged" in device.refused(status=75)[1]


def test_a_ca_file_that_was_emptied_leaves_the_device_up_until_it_is_mended(
    device: PoweredDevice, room: StandIn, tmp_path: Path
) -> None:
    """The file is the same for the configuration and the last good one: neither can do without."""
    assert room.ca_file is not None
    content = room.ca_file.read_bytes()
    own = tmp_path / "own-ca.pem"
    own.write_bytes(content)
    text = device.text.replace(str(room.ca_file), str(own))
    with device.on(text):
        pass
    own.write_bytes(b"")
    with device.on(text, wanted="waiting") as daemon:
        first, fault = device.errors()
        assert ON_LAST_GOOD in first
        assert fault.startswith(f"{device.config}: can't load backend.ca_file ({own}): the file is empty")
        assert f"{device.last_good}: can't load backend.ca_file ({own}): the file is empty" in device.log.read_text()
        status = device.status()
        assert status["config"]["last_good"]
        assert "can't load backend.ca_file" in status["reason"]
        own.write_bytes(content)
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: device.status()["state"] == "streaming", 20, "the room")
        assert not device.status()["config"]["last_good"]
    own.write_bytes(b"")
    assert "can't load backend.ca_file" in device.refused("--check")[0]
    device.last_good.unlink()
    assert "can't load backend.ca_file" in device.refused()[0]


def test_a_reload_of_certificates_that_cannot_be_loaded_changes_nothing(device: PoweredDevice, tmp_path: Path) -> None:
    with device.on(device.text) as daemon:
        kept = device.last_good.read_bytes()
        device.config.write_text(device.text.replace("ca_file: /", "ca_file: /nowhere/").replace("abcd", "wxyz"))
        daemon.send_signal(signal.SIGHUP)
        wait_until(lambda: "nothing has changed" in device.log.read_text(), 20, "the fault in the log")
        assert "can't load backend.ca_file (/nowhere/" in device.log.read_text()
        assert device.status()["state"] == "streaming"
        assert device.last_good.read_bytes() == kept


def test_a_check_is_strict_and_touches_nothing(device: PoweredDevice) -> None:
    device.config.write_text(device.text)
    checked = subprocess.run(
        [*INGESTD, "--config", device.config, "--check"], env={"STATE_DIRECTORY": str(device.state)}, timeout=30
    )
    assert checked.returncode == 0
    assert list(device.state.iterdir()) == []
    LastGood(device.state, write_state).keep(read_config(device.config).tree)
    device.config.write_text(device.text[:-4])
    assert len(device.refused("--check")) == 2


def test_a_state_directory_that_refuses_is_a_warning(device: PoweredDevice) -> None:
    device.state.rmdir()
    with device.on(device.text):
        assert f"WARNING can't write {device.last_good}: No such file or directory" in device.log.read_text()


WRITER = """
import sys
from pathlib import Path
from typing import Any
from ingestd.config.lastgood import LastGood
from ingestd.config.load import read_config
from ingestd.system.state_files import write_state

contents = []
last_good = LastGood(Path(sys.argv[1]), lambda path, content: contents.append((path, content)))
for path in sys.argv[2:]:
    last_good.keep(read_config(Path(path)).tree)
while True:
    for path, content in contents:
        assert write_state(path, content) is None
    print(flush=True)
"""


def test_a_kill_while_it_is_written_leaves_one_or_the_other(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    files = []
    for name, size in (("a", 10), ("b", 200_000)):
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(
            f"backend: {{url: 'https://example.com'}}\nsession: {{room_id: {name}, "
            f"participant: {{id: x, metadata: {{long: {'x' * size}}}}}}}\n"
        )
    both = [read_config(path).config for path in files]
    last_good = LastGood(tmp_path, write_state)
    last_good.keep(read_config(files[0]).tree)
    found, cut = set(), 0
    for _ in range(25):
        writer = spawn([sys.executable, "-c", WRITER, tmp_path, *files], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(moments.randint(1, 3)):
            writer.stdout.readline()
        began_s = time.monotonic()
        writer.stdout.readline()
        both_take_s = time.monotonic() - began_s
        time.sleep(moments.uniform(0.0, both_take_s))  # however slow the disk, as often in the one as in the other
        writer.kill()
        end(writer)
        valid = last_good.load()
        assert valid is not None, f"seed {seed}"
        assert valid.config in both, f"seed {seed}"
        found.add(valid.config.session.room_id)
        cut += (tmp_path / f".{NAME}.new").exists()
    assert found == {"a", "b"}, f"seed {seed}"
    assert cut, f"no kill struck within a write, seed {seed}"
