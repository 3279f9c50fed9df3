"""Commanding the service's other side: webhooks, their key, rooms made by backends."""

from __future__ import annotations

from typing import Any

from tests.standin.control_http import ControlHttp
from tests.standin.webhooks import WebhookRecord


class ServiceControl(ControlHttp):
    """A part of `control.Control`."""

    def webhooks(self, start: int = 0) -> list[WebhookRecord]:
        """Every webhook that was posted, each attempt for itself, from number `start` on."""
        return [WebhookRecord(**values) for values in self._json("GET", f"/webhooks?start={start}")]

    def emit_webhooks(self, *events: str, count: int = 1, **data: Any) -> None:
        """Post events that nothing caused, all of them at the same moment, `count` times. Returns at once.

        `data` is in each, and the `number` of its round, from 0 on.
        """
        self._json("POST", "/webhooks/emit", {"events": events, "count": count, "data": data})

    def sign(self, body: bytes) -> str:
        """The signature that the service would send with these bytes."""
        return str(self._request("POST", "/webhooks/sign", data=body).json()["signature"])

    def rotate_key(self) -> None:
        """Sign webhooks with a new key from now on, and show that one."""
        self._json("POST", "/webhooks/rotate")

    def registered_webhooks(self) -> list[dict[str, Any]]:
        """`url` and `events` of each registration; no events stands for all."""
        return list(self._json("GET", "/webhooks/registered"))

    def forget_webhooks(self) -> None:
        """Post to none of those that registered any more."""
        self._json("DELETE", "/webhooks/registered")

    def made_rooms(self) -> dict[str, str]:
        """Ids of the rooms made by POST /v2/rooms, by their customRoomId."""
        return dict(self._json("GET", "/made-rooms")["rooms"])

    def room_requests(self, start: int = 0) -> list[dict[str, Any]]:
        """Every POST /v2/rooms from number `start` on: `at_s` (monotonic seconds), `status`, `body`."""
        return list(self._json("GET", "/made-rooms")["requests"][start:])

    def forget_rooms(self) -> None:
        """As if no room had ever been made: their ids are unknown from now on."""
        self._json("DELETE", "/made-rooms")
