"""The bench of clients: each of them is in the room, both ways, and everything about it is measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.installed import REPO
from tests.bench.peers.contenders import NODE_MODULES, PLAIN, TITLES, TLS

pytestmark = [
    pytest.mark.root,
    pytest.mark.waits,
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
    pytest.mark.skipif(not (NODE_MODULES / "ws").is_dir(), reason="npm's ws (package node-ws) is not installed"),
]

_QUANTITIES = (
    "cpu_ms_per_s",
    "own_cpu_ms_per_s",
    "rss_mib",
    "wakeups_per_s",
    "gap_error_p50_ms",
    "gap_error_p99_ms",
)
_COMPARED = (
    "ours_cpu_to_floor",
    "ours_cpu_to_node",
    "tls_ours_cpu_to_node",
    "ours_alsa_own_cpu_to_floor",
    "ours_alsa_own_cpu_to_node",
    "ours_rss_to_node",
    "ours_gap_error_p99_to_floor",
    "ours_latency_p50_ms",
    "ours_latency_p99_ms",
)


@pytest.mark.timeout(300)
def test_every_contender_is_in_the_room_both_ways_and_measured(tmp_path: Path) -> None:
    options = ["--quick", "--json", tmp_path / "out.json", "--plot", tmp_path / "out.png"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "peers", *map(str, options)], cwd=REPO, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    written = json.loads((tmp_path / "out.json").read_text())
    figures = {name.removeprefix("quick_"): value for name, value in written["figures"].items()}
    assert written["bounds"] == {}
    for prefix, names in (("", PLAIN), ("tls_", TLS)):
        for name in names:
            # Each frame that came is one of the audio's, or has sound in it, and what was sent to it was heard.
            assert 40 < figures[f"{prefix}{name}_up_per_s"] < 60, name
            assert 40 < figures[f"{prefix}{name}_down_per_s"] < 60, name
            assert figures[f"{prefix}{name}_unheard_frames"] <= 5, name
            assert figures[f"{prefix}{name}_strange_frames"] == 0, name
            assert figures[f"{prefix}{name}_silent_frames"] <= 5, name
            assert all(figures[f"{prefix}{name}_{quantity}"] > 0 for quantity in _QUANTITIES), name
            assert done.stdout.count(TITLES[name]) >= 2, name
    assert all(figures[name] > 0 for name in _COMPARED)
    assert figures["ours_alsa_plugin_cpu_ms_per_s"] > 0
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
