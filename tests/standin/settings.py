"""The switches of the stand-in: times, limits, and every behaviour the vendor's page leaves open.

The defaults are the page's own figures; tests shorten them. All of them may be changed while it runs; a
running timer keeps the time it was started with.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Settings:
    """Every switch, with its unit. Times end in `_s` or `_ms`, sizes in `_bytes`."""

    # --- who may create a session, and what the answer looks like
    auth_scheme: Literal["both", "bearer", "raw"] = "both"
    """Accepted form of the Authorization header: `Bearer TOKEN`, the bare token, or either."""
    fixed_token: str = ""
    """A token that is accepted as it stands, besides those minted with this server's key; empty for none."""
    known_rooms: tuple[str, ...] = ()
    """Rooms that exist, beside those made by POST /v2/rooms; empty: every room does."""
    unknown_room_status: int = 400
    """HTTP status for a room outside `known_rooms`; 400, 402 and 404 were seen in the vendor's code."""
    rooms_status: int = 200
    """HTTP status that POST /v2/rooms is answered with; any but 200 makes no room."""
    body_limit_bytes: int = 65536
    """Largest accepted request body (bytes); beyond it the answer is 413."""
    error_key: str = "message"
    """The key an error's text stands under; the vendor's SDK looks for message, error, msg, statusMessage."""
    request_id_header: str = "x-request-id"
    """Header that carries a request id in every answer of the HTTP API; empty for none."""
    answer_leaves_out: tuple[str, ...] = ()
    """Optional fields to leave out of the answer's data: `callId`, `expiresIn`."""
    public_base: str = ""
    """Scheme, host and port to advertise in wsUrl (`ws://127.0.0.1:9000`) when a proxy stands in front."""

    # --- claiming a session
    session_ttl_s: float = 90.0
    """Seconds an unclaimed session lives; also what `expiresIn` says."""
    bad_ref: Literal["close_on_start", "close_at_open", "http"] = "close_on_start"
    """How a reused, expired, modified or unknown ref is refused."""
    bad_ref_code: int = 1008
    """Close code for a bad ref when it is refused by closing."""
    bad_ref_reason: str = "session expired"
    """Close reason for a bad ref."""
    bad_ref_status: int = 404
    """HTTP status for a bad ref when `bad_ref` is `http`."""
    start_timeout_s: float = 5.0
    """Seconds from connecting to the start frame; then 1008 `start timeout`."""
    media_before_start: Literal["ignore", "close"] = "ignore"
    """What media before the start frame does; it is counted either way. `close` closes with 1008."""
    join_delay_s: float = 0.0
    """Seconds between the start frame and joining the room."""
    media_before_join: Literal["queue", "drop"] = "queue"
    """Whether media between start and join waits in the jitter queue or is lost."""

    # --- audio
    prime_ms: int = 60
    """Audio a participant's queue gathers before it is played into the room (milliseconds)."""
    cap_ms: int = 400
    """Most audio a participant's queue holds (milliseconds); beyond it the oldest goes. 0: no bound."""
    other_frame_sizes: Literal["accept", "drop"] = "accept"
    """Whether media frames other than 20 ms are played or only counted."""
    quiet: Literal["nothing", "silence"] = "nothing"
    """What a participant receives while nobody else publishes audio."""
    publishing_hold_ms: int = 200
    """A participant counts as publishing for this long after its last media frame (milliseconds)."""
    send_frame_ms: int = 20
    """Length of the media frames sent (milliseconds)."""
    send_burst_frames: int = 1
    """How many media frames are gathered and sent at once."""
    send_limit_bytes: int = 1_048_576
    """Unsent bytes at which media to a client that does not read is dropped (bytes)."""

    # --- the connection
    ping_interval_s: float = 30.0
    """Seconds between the server's pings; a client that missed one is cut at the next. 0: no pings."""
    answer_pings: bool = True
    """Whether a client's ping gets its pong (RFC 6455 wants it)."""
    max_message_bytes: int = 1_048_576
    """Largest inbound WebSocket message (bytes); beyond it 1009."""
    max_session_s: float = 0.0
    """Seconds after the join at which the meeting ends for a participant; 0: never."""
    close_wait_s: float = 2.0
    """Seconds to wait for the client's half of the closing handshake."""
    after_stop: Literal["close", "wait"] = "close"
    """After a stop frame: close with 1000, or wait for the client to close."""
    recorded_s: float = 3700.0
    """Most audio kept per call and direction (seconds); beyond it frames are only counted."""
    kept_calls: int = 200
    """Calls whose audio is kept; of older ones only the figures remain."""

    # --- server frames beyond the page
    send_meeting_joined: bool = True
    """Send `meeting-joined` to a participant that joined."""
    send_meeting_left: bool = True
    """Send `meeting-left` to a participant whose meeting is over."""
    meeting_left_on_stop: bool = False
    """Send `meeting-left` after the participant's own stop frame too."""
    send_participant_joined: bool = True
    """Send `participant-joined` to the others, and to a newcomer for everyone who is there."""
    send_participant_left: bool = True
    """Send `participant-left` to the others."""
    sparse_frames: bool = False
    """Leave every optional field out of those frames."""
    same_participant_id: Literal["evict", "keep"] = "evict"
    """Whether a second participant with the same id ends the first one's meeting."""
    eviction_code: int = 1000
    """Close code for an evicted participant."""
    close_after_meeting_left: bool = True
    """Whether the server closes the connection of a participant whose meeting it ended."""

    # --- messaging
    topic_limit_chars: int = 128
    """Longest topic (characters)."""
    message_limit_bytes: int = 8192
    """Largest message payload, serialised, as UTF-8 (bytes)."""
    waiting_messages: int = 1000
    """Most subscribe, unsubscribe and message frames that wait for the join."""
    failed_topic: Literal["silent", "error", "close"] = "silent"
    """What a subscribe or publish that fails brings: nothing, an `error` event, or, against the page, a close."""
    replay_history: bool = False
    """Whether a subscriber first receives what others published on the topic before."""
    replay_own: bool = False
    """Whether that holds what its own participant id published, too."""

    # --- lifecycle webhooks
    webhook_urls: tuple[str, ...] = ()
    """Where every lifecycle event is posted, besides what is registered over HTTP."""
    webhook_copies: int = 1
    """How many times each event is posted."""
    webhook_signature: Literal["good", "bad", "none", "old", "stranger"] = "good"
    """Sign the body, sign something else, leave the header out, sign with the key before the last rotation, or with
    a key that was never shown."""
    webhook_timeout_s: float = 5.0
    """Seconds a receiver has to answer."""
    webhook_retries: int = 0
    """How often an event is posted again that was not answered with 2xx."""
    webhook_retry_s: float = 0.2
    """Seconds before it is posted again; those behind it wait as well."""
    webhook_hold_s: float = 0.0
    """Seconds that events are gathered for, from the first of them on, before they are posted."""
    webhook_order: Literal["kept", "reversed", "shuffled"] = "kept"
    """Order in which events that were gathered are posted."""
    webhooks_at_once: int = 1
    """Events that are posted at the same time; with more than one their order is left to chance."""
    webhook_ca_file: str = ""
    """PEM file of the CA that receivers' certificates must come from; empty: those this machine trusts."""
    public_key_status: int = 200
    """HTTP status that the public key's endpoint answers with; any but 200 shows no key."""

    def changed(self, changes: dict[str, Any]) -> Settings:
        """A copy with `changes` made; raises SettingsError naming everything that is wrong with them."""
        hints = typing.get_type_hints(type(self))
        faults: list[str] = []
        clean: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in hints:
                near = difflib.get_close_matches(name, hints, 1)
                faults.append(f"{name}: no such switch" + (f", did you mean {near[0]}?" if near else ""))
                continue
            try:
                clean[name] = _fit(value, hints[name])
            except ValueError as exc:
                faults.append(f"{name}: {exc}")
        if faults:
            raise SettingsError("; ".join(faults))
        return dataclasses.replace(self, **clean)

    def changed_by_text(self, assignments: list[str]) -> Settings:
        """A copy with `NAME=VALUE` texts applied, as given on a command line; lists are comma-separated."""
        hints = typing.get_type_hints(type(self))
        changes: dict[str, Any] = {}
        for text in assignments:
            name, equals, value = text.partition("=")
            if not equals:
                raise SettingsError(f"{text!r}: write NAME=VALUE")
            changes[name] = _from_text(value, hints.get(name, str), name)
        return self.changed(changes)


class SettingsError(ValueError):
    """A switch that does not exist or a value it cannot take."""


def _fit(value: Any, kind: Any) -> Any:
    """`value` as a field of type `kind`, or ValueError saying what is expected."""
    if typing.get_origin(kind) is Literal:
        if value not in typing.get_args(kind):
            raise ValueError(f"expected one of {', '.join(typing.get_args(kind))}, not {value!r}")
        return value
    if isinstance(kind, types.GenericAlias):
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise ValueError("expected a list of strings")
        return tuple(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise ValueError(f"expected {kind.__name__}, not {value!r}")
    return value


def _from_text(text: str, kind: Any, name: str) -> Any:
    """`text` read as a value of type `kind`."""
    if isinstance(kind, types.GenericAlias):
        return tuple(part for part in text.split(",") if part)
    if kind is bool:
        if text not in ("true", "false"):
            raise SettingsError(f"{name}: write true or false")
        return text == "true"
    try:
        return kind(text) if kind in (int, float) else text
    except ValueError:
        raise SettingsError(f"{name}: {text!r} is not a number") from None
