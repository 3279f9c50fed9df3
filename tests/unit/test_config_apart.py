"""A configuration read in a process of its own is the same one, and leaves nothing of what read it behind."""

from __future__ import annotations

import marshal
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.apart import packed, read_apart
from ingestd.config.lastgood import LastGood
from ingestd.config.load import Valid, read_config
from ingestd.config.reload import Reloader
from ingestd.config.writer import write_yaml
from ingestd.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # the tests' process may have threads

FULL = """
backend:
  url: https://broker.example/s
  token_file: /etc/token
  ca_file: /etc/ca.pem
  client_cert: {cert_file: /etc/cert.pem, key_file: /etc/key.pem}
  proxy: http://user:hunter2@proxy.example:3128
session:
  room_id: abcd-efgh-ijkl
  participant: {id: device, name: 'Gerät ☎', metadata: {list: [1, 2.5, null, true, {deep: x}], empty: {}}}
  agent: {id: a, more: {than: [we, know]}}
audio: {capture: {channel: 2, gain_db: -3, mixer: {control: Mic}}}
messaging: {subscribe: [CHAT, NEWS]}
metrics: {listen: '[::1]:9465'}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ingestd.yaml"
    path.write_text(FULL)
    return path


def test_it_is_the_same_configuration(path: Path) -> None:
    here, apart = read_config(path), read_apart(lambda: read_config(path))
    assert apart is not None
    assert packed(apart.config) == packed(here.config)
    assert (apart.config.backend.token_file, apart.config.metrics.listen.port) == (Path("/etc/token"), 9465)  # type: ignore[union-attr]  # it is set
    assert apart.config.backend.proxy is not None
    assert apart.config.backend.proxy.reveal() == "http://user:hunter2@proxy.example:3128"
    assert "hunter2" not in repr(apart.config)
    assert apart.text == write_yaml(here.tree) == write_yaml(apart.tree)


def test_what_is_compared_with_it_at_a_reload_differs_where_the_files_do(path: Path) -> None:
    apart = read_apart(lambda: read_config(path))
    assert apart is not None
    reloader = Reloader(path, LastGood(None, lambda _path, _content: None), apart)
    same = reloader.load()
    assert (same.renewed, same.live, same.restart) == ([], [], [])
    path.write_text(FULL.replace("gain_db: -3", "gain_db: -4").replace("hunter2", "hunter3").replace(":9465", ":9466"))
    other = reloader.load()
    assert (other.renewed, other.live, other.restart) == (
        ["backend.proxy"],
        ["audio.capture.gain_db"],
        ["metrics.listen"],
    )
    assert packed(other.config.metrics) == packed(apart.config.metrics), "what waits for a restart is as it was"


def test_its_faults_are_the_same_and_nothing_is_nothing(path: Path) -> None:
    path.write_text("backend: {url: nonsense}\nsesion: {}\n")
    with pytest.raises(ConfigError) as here:
        read_config(path)
    with pytest.raises(ConfigError) as apart:
        read_apart(lambda: read_config(path))
    assert apart.value.faults == here.value.faults
    assert read_apart(lambda: None) is None


def test_a_bug_in_it_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> Valid:
        raise KeyError("a bug")

    with pytest.raises(ChildProcessError):
        read_apart(broken)
    assert "KeyError: 'a bug'" in capfd.readouterr().err


def test_children_that_nobody_waits_for_are_no_fault(path: Path) -> None:
    # Inherited over exec: whoever starts the daemon may have set it.
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        apart = read_apart(lambda: read_config(path))
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert apart is not None
    assert packed(apart.config) == packed(read_config(path).config)


@pytest.mark.parametrize("part", [0.0, 0.01, 0.5, 0.99])
def test_one_that_is_killed_within_its_answer_is_told_so(
    part: float, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = marshal.dumps

    def half(answer: Any) -> bytes:
        return whole(answer)[: int(len(whole(answer)) * part)]

    def read() -> Valid:  # in the child: nothing of this is so here
        monkeypatch.setattr(marshal, "dumps", half)
        monkeypatch.setattr(os, "_exit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        return read_config(path)

    with pytest.raises(ChildProcessError, match="could not be read"):
        read_apart(read)
    assert marshal.dumps is whole


@pytest.mark.parametrize(
    "library", ["argparse", "datetime", "difflib", "http.client", "ingestd.config.schema", "platform", "uuid", "yaml"]
)
def test_a_daemon_does_not_load_what_only_reading_and_faults_need(library: str) -> None:
    loads = "import ingestd.__main__, ingestd.daemon, ingestd.net.opening as o, sys; o.opening(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout.split()
    assert "ingestd.daemon" in loaded
    assert library not in loaded
