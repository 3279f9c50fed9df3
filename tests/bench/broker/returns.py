"""A fleet loses its brokers and comes back to them, in real time."""

from __future__ import annotations

import time
from typing import Final

from tests.bench.broker.coming_back import Return
from tests.bench.broker.fleet import Fleet, Order
from tests.bench.broker.scene import Scene

WITHIN_S: Final = 120.0
"""All have to be back by then."""
_PATIENCE_S: Final = 60.0
"""And are waited for so much longer, to tell how late they were."""


def after_an_outage(scene: Scene, devices: int, outage_s: float) -> Return:
    """All brokers are killed, every device is cut; after so many seconds they are started again. Takes minutes."""
    for broker in scene.brokers:
        broker.kill()
    fleet = _fleet(scene, devices, outage_s)
    time.sleep(outage_s)
    since_s = time.monotonic()
    for broker in scene.brokers:
        broker.start()
    return Return(devices, since_s, time.monotonic(), fleet.attempts())


def after_a_cut(scene: Scene, devices: int) -> Return:
    """Every device is cut at once, and nobody was away."""
    attempts = _fleet(scene, devices, 0.0).attempts()
    since_s = min(one.began_s for one in attempts)
    return Return(devices, since_s, since_s, attempts)


def _fleet(scene: Scene, devices: int, outage_s: float) -> Fleet:
    within_s = outage_s + WITHIN_S + _PATIENCE_S
    return Fleet(Order(addresses=scene.addresses, keys_file=str(scene.keys_file), devices=devices, within_s=within_s))
