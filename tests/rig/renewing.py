"""A call that is renewed over and over while everything goes on in it: messages both ways, each with its number."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

from ingestd.control.client import ControlClient
from tests.rig.memory_device import MemoryDevice
from tests.rig.process import wait_until
from tests.standin.client import StandIn

OUT, IN = "FROM-DEVICE", "TO-DEVICE"
_EVERY_S = 0.05
_WITHIN_S = 20.0
"""What one renewal may take before the run is given up."""


class RenewedCall:
    """A device that streams, and Alice. Use as a context manager, from one thread."""

    def __init__(self, room: StandIn, device: MemoryDevice, alice: str) -> None:
        """Subscribes both ways."""
        self._room = room
        self._device = device
        self._alice = alice
        room.subscribe(alice, OUT)
        self._speaks = ControlClient(device.socket)
        self._listens = ControlClient(device.socket)
        self._listens.call("subscribe", topic=IN)
        self._next_s = time.monotonic()
        self.published = 0
        """Messages that the device took for the room,"""
        self.said = 0
        """that Alice said to it,"""
        self.handled: list[str] = []
        """and that it passed on to its local programs."""
        self._epoch = 0
        self._await_first_message()

    def __enter__(self) -> RenewedCall:
        return self

    def __exit__(self, *_error: object) -> None:
        self._speaks.close()
        self._listens.close()

    def _await_first_message(self) -> None:
        # A subscription has no answer: from the first message on that comes, every one is to come.
        def told() -> bool:
            self._room.publish(self._alice, IN, "first")
            self._listen(0.1)
            return bool(self.handled)

        wait_until(told, _WITHIN_S, "the first message")
        time.sleep(0.2)
        self._listen(0.05)
        self.handled.clear()

    def renew(self, pauses_s: Iterable[float]) -> None:
        """Asks for as many renewals as there are pauses, each so long after the end of the one before."""
        for pause_s in pauses_s:
            self.go_on(pause_s)
            before = self._epoch
            self._speaks.call("reconnect")
            deadline_s = time.monotonic() + _WITHIN_S
            while self._epoch <= before:
                self._step()
                assert time.monotonic() < deadline_s, f"no renewal:\n{self._device.log[-3000:]}"

    def go_on(self, seconds: float) -> None:
        """Lets that much time pass; messages go on."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self._step()

    def settle(self) -> None:
        """Waits until what is on its way has arrived, and for what would be one too many; no further messages."""
        deadline_s = time.monotonic() + _WITHIN_S
        while len(self.handled) < self.said or len(self.arrived()) < self.published:
            self._listen(0.05)
            if time.monotonic() > deadline_s:
                return  # who counts them says which
        until_s = time.monotonic() + 1.5
        while time.monotonic() < until_s:
            self._listen(0.05)

    def arrived(self) -> list[str]:
        """What Alice received."""
        return [str(message.message) for message in self._room.messages(self._alice)]

    def _step(self) -> None:
        if time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _EVERY_S
            assert self._speaks.call("publish", topic=OUT, data=str(self.published))["sent"] is True
            self.published += 1
            self._room.publish(self._alice, IN, str(self.said))
            self.said += 1
        self._listen(0.005)

    def _listen(self, timeout_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            while True:
                told = self._listens.notification(timeout_s)
                params = told["params"]
                if told["method"] == "message":
                    self.handled.append(str(params["text"]))
                elif told["method"] == "state" and params["state"] == "streaming":
                    self._epoch = params["epoch"]
