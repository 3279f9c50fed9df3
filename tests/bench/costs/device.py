"""The daemon on looped ports, whose threads the kernel knows by their names, and whose allocations can be counted.

    python device.py COUNTING AUDIO.pcm STAMPS [the command's own arguments…]

COUNTING is `-`, or what `tests.bench.costs.allocations` has written for it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.machinery
import importlib.util
import json
import sys
import threading
import time
import tracemalloc
from pathlib import Path

from tests.bench.peers.looped_device import main

_start = threading.Thread.start


def _start_named(thread: threading.Thread) -> None:
    _start(thread)
    with contextlib.suppress(OSError):  # it was short: it has ended
        Path(f"/proc/self/task/{thread.native_id}/comm").write_text(thread.name[:15])


def count(path: str) -> None:
    """Counts what all threads allocate as the order in that file says, and writes it where that says; takes as long."""
    order = json.loads(Path(path).read_text())
    loader = importlib.machinery.ExtensionFileLoader("allocations", order["library"])
    spec = importlib.util.spec_from_loader("allocations", loader)
    assert spec is not None
    allocations = importlib.util.module_from_spec(spec)
    time.sleep(order["after_s"])
    gc.disable()  # or it may run within an allocation: the hook makes a tuple there, to look its line up
    tracemalloc.start(1)
    time.sleep(0.5)
    began_s = time.monotonic()
    allocations.start()
    time.sleep(order["for_s"])
    rows, lost = allocations.stop()
    took_s = time.monotonic() - began_s
    tracemalloc.stop()
    unfinished = Path(order["counted"]).with_suffix(".part")
    unfinished.write_text(json.dumps({"rows": rows, "lost": lost, "seconds": took_s}))
    unfinished.rename(order["counted"])


if __name__ == "__main__":
    threading.Thread.start = _start_named  # type: ignore[method-assign,assignment]  # Python names them from 3.14 on
    Path("/proc/self/comm").write_text("main")
    counting = sys.argv.pop(1)
    if counting != "-":
        threading.Thread(target=count, args=(counting,), name="counting", daemon=True).start()
    sys.exit(main())
