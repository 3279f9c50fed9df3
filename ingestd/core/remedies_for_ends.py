"""Why a call that was under way ended, and what helps: the texts of `core.remedies` for ends, as data. Pure.

{host} (the backend's), {room} and {config} are filled in.
"""

from __future__ import annotations

from typing import Final

from ingestd.core.remedies_for_attempts import GIVEN_UP, NO_WAY, PASSES, Rules

Text = tuple[str, str, str]
"""Name, meaning, remedy."""

CUT: Final[Rules] = (
    GIVEN_UP,
    (
        "pings-unanswered",
        r"answer to a ping",
        "The way to the server is cut, or the server hangs.",
        "Nothing to do, a fresh session takes its place; if it is often so, look at the signal of Wi-Fi or modem.",
    ),
    (
        "server-silent",
        r"not even a ping",
        "The server's machine is there, but what should serve this call hangs.",
        "Nothing to do, a fresh session takes its place; if it is often so, report it to whoever runs the service.",
    ),
    NO_WAY,
    (
        "network-changed",
        r"network came back|route|another way|got through",
        "The network changed under the connection, which would take many seconds to notice by itself.",
        "Nothing to do, a fresh session takes its place; if it is often so, look at cable, Wi-Fi or modem.",
    ),
    (
        "nothing-acknowledged",
        r"acknowledged|timed out",
        "Packets vanish on the way: a bad radio link, a cut, or a router that has forgotten the connection.",
        "Nothing to do, a fresh session takes its place; if it is often so, look at the signal and at the router.",
    ),
    (
        "dropped",
        r"close frame|reset|broken pipe|without a word",
        "The connection was dropped without a word: by the server, or a router or balancer on the way, as in restarts.",
        "Nothing to do, it is tried again; if it comes at even intervals, something on the way limits connections.",
    ),
    (
        "cut",
        r"",
        "The connection broke while it was in use.",
        "Nothing to do, it is tried again; if it is often so, look at the network between here and the service.",
    ),
)
"""A connection that streamed is gone, without a close frame."""

_BUG: Final = "Nothing to do, it is tried again; if it stays, report it with `journalctl -u ingestd`."
_SELF: Final = "Nothing to do: with session.start auto it goes back by itself, with demand it waits for the next call."
_TWIN: Final = "Nothing to do after a renewal; else give each device its own session.participant.id in {config}."

CODES: Final[dict[int, tuple[str, str]]] = {
    1000: ("The call ended in good order: somebody or the service closed it.", _SELF),
    1001: ("That server is going down, as for an update.", PASSES),
    1002: ("The server says that this device broke the WebSocket protocol; a proxy on the way may have.", _BUG),
    1003: ("The server says that it can't take this kind of data.", _BUG),
    1004: ("The server closed by a code that is reserved and means nothing.", PASSES),
    1005: ("The server closed in good order, without a code.", _SELF),
    1006: ("Something on the way cut the connection; no server itself sends this code.", PASSES),
    1007: ("The server says that a message was not UTF-8; a proxy on the way may have damaged it.", _BUG),
    1008: ("The server refused this connection by its rules, most often as the session is used up.", PASSES),
    1009: (
        "A message was larger than the server takes.",
        "Nothing to do, it is tried again; if it stays, lower messaging.max_bytes in {config}.",
    ),
    1010: ("Extensions of the WebSocket were missed, which none of ours needs: some proxy answers.", _BUG),
    1011: ("Something broke within the service.", PASSES),
    1012: ("The service restarts.", PASSES),
    1013: ("The service has too much to do at present.", PASSES),
    1014: ("A gateway of the service did not reach what is behind it.", PASSES),
    1015: ("TLS failed on the way behind the server that answers; no server itself sends this code.", PASSES),
    4005: ("Another connection joined by the same participant id, and the service keeps only the newest.", _TWIN),
}
"""By the close code; the name is made of it (`closed-1008`)."""
OTHER_4000: Final[Text] = (
    "closed-by-service",
    "The service ended the call by a code of its own; the reason beside it says more.",
    _SELF,
)
OTHER_CODE: Final[Text] = ("closed-otherwise", "The server closed by a code without a known meaning.", PASSES)

CLOSE_REASONS: Final[Rules] = (
    (
        "start-timeout",
        r"start timeout",
        "The server saw no start frame within 5 s of connecting, which is sent at once: a very slow way.",
        "Nothing to do, a new session is made; if it stays, the network is too slow, or a proxy holds frames back.",
    ),
    (
        "twin",
        r"duplicate|another device|same participant",
        "Another connection joined by the same participant id, and the service keeps only the newest.",
        _TWIN,
    ),
    (
        "session-expired",
        r"expired|\bref\b|claimed|unknown session|invalid session",
        "The URL of a session holds once and for 90 s, and this one was late, used or altered.",
        "Nothing to do, a new session is made at once; if it stays, {host} hands out old URLs, or one URL twice.",
    ),
)
"""What a close frame's own text tells better than its code; where none fits, the code counts."""

ENDED: Final[Rules] = (
    (
        "hung-up",
        r"hung up|max_call_s|hangup_when_alone_s|alone in the room",
        "The call was ended here: by somebody, or by a limit in the configuration.",
        "Nothing to do; the limits are session.max_call_s and session.hangup_when_alone_s in {config}.",
    ),
    (
        "meeting-ended",
        r"",
        "Somebody closed {room}, or removed this device from it.",
        _SELF,
    ),
)

PROTOCOL: Final[Text] = (
    "protocol-broken",
    "What came in is no WebSocket: a proxy on the way damages it, or the server has a bug.",
    "Nothing to do, it is tried again; if it stays, look for a proxy or firewall that inspects connections.",
)
UNFORESEEN: Final[Text] = (
    "unforeseen",
    "Nobody foresaw this: a bug, or a machine without memory, disk or descriptors left.",
    "Nothing to do at once, it is tried again; please report it with `journalctl -u ingestd`.",
)
