"""Carrying out a scripted fault on an open connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from tests.standin import frames
from tests.standin.faults import SocketFault
from tests.standin.garbage import KINDS
from tests.standin.mixing import SILENCE, media_message

if TYPE_CHECKING:
    from tests.standin.connection import Connection


def apply(connection: Connection, fault: SocketFault) -> None:
    """Do what `fault` says, now."""
    connection.info.counts[f"fault_{fault.action}"] += 1
    match fault.action:
        case "close":
            connection.close(fault.code, fault.reason)
        case "close_without_code":
            connection.close(None, "")
        case "drop":
            connection.hang_up()
        case "abort":
            set_reset(connection.transport)
            connection.cut("abort")
        case "cut_mid_frame":
            _cut_mid_frame(connection)
        case "stop_reading":
            _stop_reading(connection, fault)
        case "mute":
            connection.outbox.mute()
            connection.later("resume", fault.for_s, connection.outbox.resume)
        case "hold_then_burst":
            connection.outbox.hold()
            connection.later("resume", fault.for_s, connection.outbox.resume)
        case "send_raw":
            connection.outbox.raw(fault.data)
        case "garbage":
            connection.outbox.raw(KINDS[fault.kind]())
        case "end_meeting":
            connection.end_meeting(fault.reason or "MEETING_ENDED", evicted=False)
        case "refuse" | "stall" | "raw_upgrade":
            raise AssertionError(f"{fault.action} happens at the upgrade only")


def is_lost(transport: asyncio.BaseTransport) -> bool:
    """Whether nothing can happen on it any more. asyncio tells its protocol only a turn of the loop later."""
    return transport.is_closing()


def set_reset(transport: asyncio.BaseTransport) -> None:
    """Let the socket send a RST when it is closed."""
    raw: socket.socket = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _cut_mid_frame(connection: Connection) -> None:
    """Write half a media frame; reset once the client has had the time to read it."""
    frame = frames.encode(frames.TEXT, media_message(SILENCE))
    connection.outbox.raw(frame[: len(frame) // 2])
    connection.outbox.mute()
    set_reset(connection.transport)
    connection.later("cut", 0.05, lambda: connection.cut("abort"))


def _stop_reading(connection: Connection, fault: SocketFault) -> None:
    if fault.receive_buffer_bytes:
        raw: socket.socket = connection.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, fault.receive_buffer_bytes)
    connection.transport.pause_reading()
    connection.later("read", fault.for_s, connection.transport.resume_reading)
