"""The connections there are, seen by another thread while one takes over from another."""

from __future__ import annotations

import itertools
import sys
import time
from types import FrameType
from typing import Any

from ingestd.net.ports import Link
from ingestd.threads.connections import Connections
from ingestd.threads.link_slot import LinkSlot
from tests.rig.scripted_ports import ScriptedLink


def seen_by_another(connections: Connections, step: int) -> tuple[list[Link], bool]:
    """What `all` gives where a switch comes in after so many of its steps; and whether it came."""
    steps = itertools.count()
    came = False

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal came
        frame.f_trace_opcodes = True
        if event == "opcode" and next(steps) == step:
            came = True
            connections.switch()
        return trace

    usual = sys.gettrace()
    sys.settrace(trace)
    try:
        found = connections.all()
    finally:
        sys.settrace(usual)
    return found, came


def test_whoever_looks_finds_the_one_that_takes_over_however_it_falls() -> None:
    for step in itertools.count():
        connections = Connections(LinkSlot(), LinkSlot(), 1.0, time.monotonic)
        first, second = ScriptedLink(1), ScriptedLink(2)
        connections.adopt(first)
        connections.accompany(second, 0.0)
        found, came = seen_by_another(connections, step)
        assert second in found, f"after step {step}"
        if not came:
            break
    assert step > 5
