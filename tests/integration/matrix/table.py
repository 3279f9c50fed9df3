"""The fault matrix as data: what strikes at which moment, what is said about it, and why the other pairs don't exist.

A device is created (`creating`: the session request is under way), connects (`connecting`: name, TCP, TLS and
opening handshake of the WebSocket), is open (`open`: before its `start` has come) and streams (`streaming`).
It goes through the first three for its first session, for every one after a loss, and for the second session of a
renewal while the first streams; and it may be told to stop while any of these is struck. So each cell serves all
those lives: see test_fault_matrix*.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from tests.integration.matrix.strikes import (
    Kind,
    Strike,
    answered,
    api,
    api_certificate,
    api_name,
    door,
    expired_token,
    injected,
    next_door,
    no_token,
    opened,
    refused,
    room_certificate,
    room_name,
    switched,
    upgraded,
)

Moment = Literal["creating", "connecting", "open", "streaming"]
MOMENTS: tuple[Moment, ...] = get_args(Moment)

PASSES, ASKED, EXPIRED, PERSON, ENDED, HARMLESS = Kind

# Why a pair does not exist.
NO_HTTP = "after the opening handshake nobody answers by an HTTP status"
NO_FRAMES = "there are no WebSocket frames yet"
NO_CONNECT = "what is connected looks up no name, is not refused and shows no certificate any more"
NO_TOKEN = "the token goes to the backend only"
NO_STATUS = "only the backend answers so; the room's servers know no tokens, as the session is the claim"
NOT_TELLING = "bytes let through one by one carry the few of `start` as well: the same as while streaming"


@dataclass(frozen=True)
class Row:
    """One cause."""

    kind: Kind
    says: str
    """A pattern of what status and journal say."""
    creating: Strike | str
    connecting: Strike | str
    open: Strike | str
    streaming: Strike | str
    """How it strikes at that moment, or why it can't."""
    remedy: str = ""
    """A pattern of what a person is to do; for what passes by itself there may be nothing."""


@dataclass(frozen=True)
class Cell:
    """A pair of the matrix that exists."""

    cause: str
    row: Row
    moment: Moment
    strike: Strike

    @property
    def kind(self) -> Kind:
        """What the device has to do about it."""
        return self.strike.kind or self.row.kind

    @property
    def says(self) -> str:
        """A pattern of what status and journal say."""
        return self.strike.says or self.row.says

    def is_named_in(self, text: str) -> bool:
        """Whether that text is about this cause."""
        return re.search(self.says, text, re.IGNORECASE) is not None

    @property
    def name(self) -> str:
        """For a test's name."""
        return f"{self.moment}-{self.cause}"


def _status(status: int, kind: Kind, says: str | None = None, remedy: str = "") -> Row:
    """A status of the backend's; the WebSocket's opening handshake may be refused by the same."""
    person = kind is PERSON
    return Row(
        kind,
        says or rf"\b{status}\b",
        answered(status=status, lasts=person),
        refused(status, kind=EXPIRED if person else None, says=rf"\b{status}\b"),
        NO_HTTP,
        NO_HTTP,
        remedy,
    )


def _closed(code: int, kind: Kind = PASSES) -> Row:
    """A close frame."""
    says = rf"code {code}\b"
    return Row(kind, says, NO_FRAMES, NO_FRAMES, opened("close", code=code), injected("close", code=code))


_SLOW = 40.0  # bytes a second: less than any handshake or frame needs

TABLE: dict[str, Row] = {
    # --- what passes by itself
    "name_unknown": Row(
        PASSES, r"resolve|name", api_name("denies"), room_name("denies"), NO_CONNECT, NO_CONNECT, r"DNS|network"
    ),
    "name_server_silent": Row(
        PASSES, r"resolve|name|DNS", api_name("silent"), room_name("silent"), NO_CONNECT, NO_CONNECT, r"DNS|network"
    ),
    "refused": Row(
        PASSES, r"refused", api(lambda p: p.refuse()), next_door(lambda p: p.refuse()), NO_CONNECT, NO_CONNECT
    ),
    "black_hole": Row(
        PASSES,
        r"time|timed out|session came",
        api(lambda p: p.black_hole()),
        next_door(lambda p: p.black_hole()),
        "as `stall`: its start is not answered, whatever swallows it",
        door(lambda p: p.black_hole(), says=r"no answer to a ping|acknowledged|nothing (received|came in)"),
    ),
    "stall": Row(
        PASSES,
        r"time|timed out|session came",
        api(lambda p: p.stall()),
        next_door(lambda p: p.stall()),
        opened("stop_reading", for_s=60.0, says=r"no answer to a ping|acknowledged|nothing (received|came in)"),
        door(lambda p: p.stall(), says=r"no answer to a ping|acknowledged|nothing (received|came in)"),
    ),
    "hangs": Row(
        PASSES,
        r"time|timed out|session came",
        answered(times=1, stall_s=5.0),
        upgraded("stall", for_s=5.0),
        "as `stall`",
        "as `stall`",
    ),
    "trickle": Row(
        PASSES,
        r"time|timed out|session came",
        api(lambda p: p.trickle(_SLOW)),
        next_door(lambda p: p.trickle(_SLOW)),
        NOT_TELLING,
        door(lambda p: p.trickle(_SLOW), says=r"no answer to a ping|acknowledged|nothing (received|came in)"),
    ),
    "silent": Row(
        PASSES,
        r"no answer to a ping|nothing received",
        "as `stall`",
        "as `stall`",
        opened("mute", for_s=60.0),
        injected("mute", for_s=60.0),
    ),
    "500": _status(500, PASSES),
    "502": _status(502, PASSES),
    "503": _status(503, PASSES),
    "reset": Row(
        PASSES,
        r"reset|closed the connection|broke|lost",
        answered(abort=True),
        upgraded("abort"),
        opened("abort"),
        door(lambda p: p.reset()),
    ),
    "cut_mid_frame": Row(
        PASSES,
        r"reset|closed|aborted|can't reach|within the answer|without data\.wsUrl|dropped without a word",
        answered(body="truncated"),
        next_door(lambda p: p.cut_mid_frame(600)),
        opened("cut_mid_frame"),
        injected("cut_mid_frame"),
    ),
    "1001": _closed(1001),
    "1006": Row(
        PASSES,
        r"closed|cut|ended|dropped without a word",
        "as `reset`: HTTP knows no close frame that could be missing",
        upgraded("raw_upgrade", data=b"", says=r"closed the connection"),
        opened("drop"),
        injected("drop"),
    ),
    "1011": _closed(1011),
    "1012": _closed(1012),
    "1013": _closed(1013),
    "garbage": Row(
        PASSES,
        r"without data\.wsUrl",
        answered(body="garbage"),
        upgraded("raw_upgrade", data=b"\x00\x01 no HTTP\r\n\r\n", says=r"HTTP|handshake"),
        opened("garbage", kind="masked", says=r"mask"),
        Strike(injected("garbage", kind="masked").do, requests=1, says=r"mask"),
    ),
    "guest_network": Row(
        PASSES,
        r"without data\.wsUrl",
        answered(body="html"),
        refused(302, says=r"\b302\b"),
        NO_HTTP,
        NO_HTTP,
        r"backend\.url|network",
    ),
    # --- what asks for patience
    "429": Row(
        ASKED,
        r"\b429\b",
        answered(times=1, status=429, retry_after="1"),
        refused(429, retry_after="1"),
        NO_HTTP,
        NO_HTTP,
    ),
    "503_later": Row(
        ASKED,
        r"\b503\b",
        answered(times=1, status=503, retry_after="1"),
        refused(503, retry_after="1"),
        NO_HTTP,
        NO_HTTP,
    ),
    # --- what a new session mends
    "1008": Row(
        EXPIRED,
        r"code 1008\b",
        NO_FRAMES,
        NO_FRAMES,
        opened("close", code=1008, reason="start timeout"),
        injected("close", code=1008, reason="session expired"),
    ),
    "ref_expired": Row(
        EXPIRED,
        r"1008|\b404\b",
        "there is no `ref` yet",
        switched(bad_ref="http", session_ttl_s=0.0, says=r"\b404\b"),
        switched(session_ttl_s=0.0, says=r"code 1008\b"),
        "a session that streams has been claimed and can't expire; what ends it is another row",
    ),
    # --- what a person has to do
    "400": _status(400, PERSON, remedy=r"room_id|configuration|session\."),
    "401": _status(401, PERSON, remedy=r"token"),
    "402": _status(402, PERSON, remedy=r"room"),
    "403": _status(403, PERSON, remedy=r"token|permission"),
    "404": _status(404, PERSON, remedy=r"room"),
    "token_expired": Row(PERSON, r"\b401\b", expired_token(), NO_TOKEN, NO_TOKEN, NO_TOKEN, r"token"),
    "token_missing": Row(PERSON, r"token", no_token(), NO_TOKEN, NO_TOKEN, NO_TOKEN, r"token"),
    "ca_untrusted": Row(
        PERSON,
        r"certificate",
        api_certificate("untrusted"),
        room_certificate("untrusted"),
        NO_CONNECT,
        NO_CONNECT,
        r"ca_file",
    ),
    "certificate_expired": Row(
        PERSON,
        r"certificate.*expired|expired.*certificate",
        api_certificate("expired"),
        room_certificate("expired"),
        NO_CONNECT,
        NO_CONNECT,
        r"clock|renew|certificate",
    ),
    # --- what is no fault
    "1000": _closed(1000, ENDED),
    "1005": Row(
        ENDED, r"code 1005\b", NO_FRAMES, NO_FRAMES, opened("close_without_code"), injected("close_without_code")
    ),
    "4001": _closed(4001, ENDED),
    "meeting_left": Row(
        ENDED,
        r"meeting",
        NO_FRAMES,
        NO_FRAMES,
        opened("end_meeting", at="start", reason="MEETING_ENDED"),
        injected("end_meeting", reason="MEETING_ENDED"),
    ),
    # --- what is harmless
    "nonsense": Row(
        HARMLESS,
        "",
        "as `garbage`: an answer that makes no sense is no session",
        NO_FRAMES,
        opened("garbage", kind="bad_json"),
        injected("garbage", kind="bad_json"),
    ),
}


def cells(*moments: Moment) -> Iterator[Cell]:
    """Every pair that exists at these moments."""
    for moment in moments:
        for cause, row in TABLE.items():
            strike = getattr(row, moment)
            if isinstance(strike, Strike):
                yield Cell(cause, row, moment, strike)
