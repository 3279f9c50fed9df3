"""Everything the parts of the stand-in share: switches, sessions, rooms, faults, records and the clock."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.standin import tokens
from tests.standin.calls import Call, CallBook
from tests.standin.clock import Ticker
from tests.standin.faults import FaultBook
from tests.standin.floods import Floods
from tests.standin.people import LocalParticipant
from tests.standin.records import ConnectionInfo, SessionRequest
from tests.standin.room import Room
from tests.standin.roombook import RoomBook
from tests.standin.settings import Settings
from tests.standin.webhooks import Webhooks

if TYPE_CHECKING:
    from tests.standin.connection import Connection

API_KEY = "standin-key"
"""The `apikey` claim of this server's tokens."""


class World:
    """The state of one stand-in; touched from its event loop only."""

    def __init__(self, settings: Settings, base_url: str = "") -> None:
        self.settings = settings
        self.first_settings = settings
        """The switches as they were at the start."""
        self.base_url = base_url
        """This server's own `http(s)://host:port`; set once it listens."""
        self.secret = uuid.uuid4().hex + uuid.uuid4().hex
        """Key of the token signatures."""
        self.seen_tokens: set[str] = set()
        """Every token that came in an Authorization header, good or not."""
        self.calls = CallBook()
        self.rooms: dict[str, Room] = {}
        self.made_rooms = RoomBook()
        self.people: dict[str, tuple[Room, LocalParticipant]] = {}
        """Local participants by id, also those who left."""
        self.requests: list[SessionRequest] = []
        self.connections: list[ConnectionInfo] = []
        self.open: dict[int, Connection] = {}
        """Open connections by index."""
        self.faults = FaultBook()
        self.ticker = Ticker(self._tick)
        self.floods = Floods()
        self.webhooks = Webhooks(lambda: self.settings)
        self.on_log: Callable[[str], None] = lambda _line: None
        """Gets a line in plain words about what happens."""
        self.on_media: Callable[[Call, bytes], None] | None = None
        """Gets the PCM of each media frame received."""

    def mint_token(self, **claims: Any) -> str:
        """A token of this server; see `tokens.mint` for the claims."""
        return tokens.mint(API_KEY, self.secret, **claims)

    def room(self, room_id: str) -> Room:
        """The room of that id, made on first use."""
        if room_id not in self.rooms:
            self.rooms[room_id] = Room(room_id)
        return self.rooms[room_id]

    def ws_base(self) -> str:
        """Scheme, host and port for wsUrl."""
        base = self.settings.public_base or self.base_url
        return base.replace("http", "ws", 1).rstrip("/") if base.startswith("http") else base.rstrip("/")

    def _tick(self, tick: int) -> None:
        now_s = self.ticker.time_of(tick)  # a late tick judges what is queued as it would have in time
        for room in self.rooms.values():
            if room.participants:
                room.tick(tick, now_s)
