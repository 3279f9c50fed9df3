"""Commanding a running stand-in over its control API, and asking what it saw."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray

from tests.standin import faults
from tests.standin.control_http import ANSWER_S, WITHIN_S
from tests.standin.control_service import ServiceControl
from tests.standin.faults import SessionFault, SocketFault
from tests.standin.records import CallInfo, ConnectionInfo, KeptFrames, SessionRequest
from tests.standin.topics import TopicMessage


@dataclass(frozen=True)
class Session:
    """What a POST /v2/ingest/sessions answered."""

    ws_url: str
    call_id: str
    expires_in_s: float


@dataclass(frozen=True)
class Heard:
    """What a local participant has heard: every tick, silence included."""

    first_s: float
    """Monotonic time of the first tick (seconds); tick n is at first_s + n * 0.02."""
    pcm: bytes
    """16-bit PCM at 8 kHz mono, 320 bytes a tick."""
    missed_ticks: int
    """Ticks that had to be filled with silence; 0 in a sound run."""

    @property
    def samples(self) -> NDArray[np.int16]:
        """The PCM as samples."""
        return np.frombuffer(self.pcm, dtype="<i2")


@dataclass(frozen=True)
class Room:
    """A room as it is now."""

    session_id: str
    participants: list[dict[str, Any]]
    """`id`, `name` and `metadata` of each."""
    history: list[TopicMessage]
    """What was published on the topic asked for."""


class Control(ServiceControl):
    """Every command and question; synchronous, for one thread at a time."""

    # --- switches and tokens

    def configure(self, **switches: Any) -> None:
        """Change switches of `settings.Settings`."""
        self._json("PATCH", "/settings", switches)

    def reset(self) -> None:
        """Put every switch back to what it was at the start, and forget the faults that still wait."""
        self._json("DELETE", "/settings")
        self.clear_faults()

    def settings(self) -> dict[str, Any]:
        """All switches as they are."""
        return dict(self._json("GET", "/settings"))

    def mint_token(
        self,
        *,
        permissions: Sequence[str] = ("allow_join",),
        roles: Sequence[str] = ("crawler",),
        expires_in_s: float = 86400.0,
        room_id: str | None = None,
    ) -> str:
        """A token; negative `expires_in_s` makes one that is expired already."""
        claims = {"permissions": list(permissions), "roles": list(roles), "expires_in_s": expires_in_s}
        return str(self._json("POST", "/tokens", {**claims, "room_id": room_id})["token"])

    def seen_tokens(self) -> list[str]:
        """Every token that came in an Authorization header, good or not."""
        return list(self._json("GET", "/tokens"))

    def create_session(
        self,
        *,
        room: str | None = None,
        participant_id: str | None = None,
        name: str | None = None,
        **fields: Any,
    ) -> Session:
        """Create an ingest session as a backend would; `fields` go into the body. HTTPError if refused."""
        who = {key: value for key, value in (("id", participant_id), ("name", name)) if value is not None}
        body = {"roomId": room or self.room, **({"participant": who} if who else {}), **fields}
        answer = self.post_session(body)
        answer.raise_for_status()
        data = answer.json()["data"]
        return Session(data["wsUrl"], data["callId"], data["expiresIn"])

    def post_session(self, body: Any, *, authorization: str | None = None) -> requests.Response:
        """POST any body to /v2/ingest/sessions; `authorization` is the header, a good one by default."""
        headers = {"Authorization": f"Bearer {self.token}" if authorization is None else authorization}
        verify = str(self.ca_file) if self.ca_file else True
        url = f"{self.base_url}/v2/ingest/sessions"
        return self._http.post(url, json=body, headers=headers, timeout=ANSWER_S, verify=verify)

    def get(self, path: str, headers: dict[str, str]) -> requests.Response:
        """GET anything from the service's listener."""
        verify = str(self.ca_file) if self.ca_file else True
        return self._http.get(self.base_url + path, headers=headers, timeout=ANSWER_S, verify=verify)

    # --- what it saw

    def state(self) -> dict[str, Any]:
        """Counts, the clock's figures (`tick`, `worst_late_ms`, `made_up_ticks`) and `waiting_faults`."""
        return dict(self._json("GET", "/state"))

    def session_requests(self, start: int = 0) -> list[SessionRequest]:
        """Every POST for a session, from number `start` on."""
        return [SessionRequest(**values) for values in self._json("GET", f"/requests?start={start}")]

    def calls(self, start: int = 0) -> list[CallInfo]:
        """Every session that was created, from number `start` on."""
        return [CallInfo(**values) for values in self._json("GET", f"/calls?start={start}")]

    def call(self, call: str | int) -> CallInfo:
        """One session by its callId or index."""
        return CallInfo(**self._json("GET", f"/calls/{call}"))

    def connections(self, start: int = 0) -> list[ConnectionInfo]:
        """Every WebSocket connection, from number `start` on."""
        found = [ConnectionInfo(**values) for values in self._json("GET", f"/connections?start={start}")]
        for info in found:
            info.counts = Counter(info.counts)
        return found

    def connection(self, index: int = -1) -> ConnectionInfo:
        """One connection, the last by default."""
        return self.connections(index)[0]

    def received(self, call: str | int, start: int = 0) -> KeptFrames:
        """The media frames a session sent, with the times of their arrival, from frame `start` on."""
        return KeptFrames.unpacked(self._bytes(f"/calls/{call}/received?start={start}"))

    def sent(self, call: str | int, start: int = 0) -> KeptFrames:
        """The media frames a session was sent, with the times of their writing, from frame `start` on."""
        return KeptFrames.unpacked(self._bytes(f"/calls/{call}/sent?start={start}"))

    # --- people in the room

    def add(
        self,
        name: str,
        *,
        room: str | None = None,
        participant_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        publishing: bool = False,
        recording: bool = True,
    ) -> str:
        """Let a person in; `publishing` keeps the microphone open in silence too. Returns the id."""
        who = {"name": name, "room": room or self.room, "id": participant_id, "metadata": metadata or {}}
        return str(self._json("POST", "/people", {**who, "publishing": publishing, "recording": recording})["id"])

    def remove(self, person: str) -> None:
        """Let a person leave the room; what was heard can still be fetched."""
        self._json("DELETE", f"/people/{person}")

    def say(self, person: str, pcm: bytes, *, at_monotonic: float | None = None, loop: bool = False) -> float:
        """Let a person say 16-bit 8 kHz mono PCM, after what is queued already.

        It begins at the first tick not before `at_monotonic` (seconds); `loop` repeats it until `hush`. Returns
        at once, with the monotonic time (seconds) of the tick at which it begins.
        """
        query = f"?loop={int(loop)}" + (f"&at={at_monotonic!r}" if at_monotonic is not None else "")
        answer = self._request("POST", f"/people/{person}/say{query}", data=pcm)
        return float(answer.json()["began_s"])

    def hush(self, person: str) -> None:
        """Let a person stop speaking."""
        self._json("POST", f"/people/{person}/hush")

    def speaking(self, person: str) -> bool:
        """Whether a person has something left to say."""
        return bool(self._json("GET", f"/people/{person}")["speaking"])

    def hear(self, person: str, start: int = 0) -> Heard:
        """What a person has heard, from tick `start` of the recording on."""
        with np.load(io.BytesIO(self._bytes(f"/people/{person}/heard?start={start}"))) as arrays:
            return Heard(float(arrays["first_s"]), arrays["pcm"].tobytes(), int(arrays["missed_ticks"]))

    def publish(self, person: str, topic: str, data: Any) -> TopicMessage:
        """Let a person publish a message."""
        return TopicMessage(**self._json("POST", f"/people/{person}/publish", {"topic": topic, "data": data}))

    def flood(self, person: str, topic: str, count: int, *, per_s: float = 0.0, size_bytes: int = 0) -> None:
        """Let a person publish messages "0", "1", … in order, filled up to `size_bytes` after a blank.

        `per_s` of them a second, or as fast as it can (0). Returns at once.
        """
        flood = {"topic": topic, "count": count, "per_s": per_s, "size_bytes": size_bytes}
        self._json("POST", f"/people/{person}/flood", flood)

    def subscribe(self, person: str, topic: str) -> None:
        """Let a person subscribe to a topic."""
        self._json("POST", f"/people/{person}/subscribe", {"topic": topic})

    def unsubscribe(self, person: str, topic: str) -> None:
        """Let a person unsubscribe from a topic."""
        self._json("POST", f"/people/{person}/unsubscribe", {"topic": topic})

    def messages(self, person: str) -> list[TopicMessage]:
        """The messages a person has received."""
        return [TopicMessage(**values) for values in self._json("GET", f"/people/{person}")["messages"]]

    def notices(self, person: str) -> list[dict[str, Any]]:
        """The participant-joined and participant-left frames a person has received."""
        return list(self._json("GET", f"/people/{person}")["notices"])

    def gone(self, person: str) -> str:
        """Why the meeting is over for a person, or an empty string."""
        return str(self._json("GET", f"/people/{person}")["gone"])

    def look(self, *, room: str | None = None, topic: str = "") -> Room:
        """Who is in a room, and the history of one topic."""
        params = {"room": room or self.room, "topic": topic}
        found = self._request("GET", "/rooms", params=params).json()
        history = [TopicMessage(**values) for values in found["history"]]
        return Room(found["session_id"], found["participants"], history)

    def end_room(self, *, room: str | None = None, message: str = "MEETING_ENDED") -> None:
        """End the meeting for everyone in a room."""
        self._json("POST", "/rooms/end", {"room": room or self.room, "message": message})

    # --- faults

    def fail_sessions(self, fault: SessionFault, times: int = 1) -> None:
        """Let the next `times` POSTs for a session meet a fault, after those already scripted."""
        self._json("POST", "/faults/sessions", {"fault": faults.to_json(fault), "times": times})

    def script_sockets(self, *script: SocketFault, times: int = 1) -> None:
        """Let each of the next `times` connections meet all of `script`; an empty one lets them pass."""
        body = {"faults": [faults.to_json(fault) for fault in script], "times": times}
        self._json("POST", "/faults/sockets", body)

    def inject(self, fault: SocketFault, *, call: str | int | None = None) -> list[int]:
        """Let a fault happen on the open connections (of one call). Returns the indices of those it hit."""
        body = {"fault": faults.to_json(fault), "call": None if call is None else str(call)}
        return list(self._json("POST", "/faults/now", body)["connections"])

    def clear_faults(self) -> None:
        """Forget the faults that still wait."""
        self._json("DELETE", "/faults")

    # --- waiting

    def wait_joined(self, number: int = 1, timeout_s: float = WITHIN_S) -> ConnectionInfo:
        """Wait for the `number`th connection that joined its room, counted from the start of the stand-in."""

        def probe() -> ConnectionInfo | None:
            joined = [info for info in self.connections() if info.joined_s is not None]
            return joined[number - 1] if len(joined) >= number else None

        return self.wait_for(probe, f"{number} connections joined", timeout_s)

    def wait_closed(self, index: int = 0, timeout_s: float = WITHIN_S) -> ConnectionInfo:
        """Wait for the end of a connection: its TCP connection is gone."""

        def probe() -> ConnectionInfo | None:
            state = self.state()
            ended = state["connections"] > index and index not in state["open_connections"]
            found = self.connections(index)[0] if ended else None
            return found if found is not None and found.closed_by else None

        return self.wait_for(probe, f"connection {index} closed", timeout_s)

    def wait_received(self, call: str | int, frames: int, timeout_s: float = WITHIN_S) -> CallInfo:
        """Wait until a session has sent that many media frames."""

        def probe() -> CallInfo | None:
            info = self.call(call)
            return info if info.received_frames >= frames else None

        return self.wait_for(probe, f"{frames} frames received", timeout_s)
