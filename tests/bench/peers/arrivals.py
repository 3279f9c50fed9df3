"""When each media frame of each client came to the room's port, by the kernel's own stamps (SO_TIMESTAMPNS).

A packet socket on the loopback sees every segment as it is delivered, with the kernel's stamp on it, TLS or not, and
however late this process reads. (A stamp asked of the room's own socket would be that of the last segment that one
read took, and would cost the room.) Linux, root.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tests.standin.frames import TEXT, FrameReader

_ETH_P_IP = 0x0800
_SO_ATTACH_FILTER = 26
_SO_RCVBUFFORCE = 33
_SO_TIMESTAMPNS = 35
_SOL_PACKET = 263
_PACKET_STATISTICS = 6
_BUFFER_BYTES = 64 << 20
"""Kernel memory for what was not read yet; one call is some 0.2 MB/s of it."""
_LARGEST_BYTES = 65536
_STAMPING_WITHIN_S = 20.0
_PROBE_WAIT_S = 0.002
_TLS_DATA = 0x17
_LEAST_MEDIA_BYTES = 440
_MOST_MEDIA_BYTES = 560
"""A media frame of 320 bytes of PCM is 458 bytes of JSON; TLS and spaces in the JSON add some, other frames differ."""


class Watch:
    """Watches a port from the moment it is made. A context manager; one thread."""

    def __init__(self, port: int) -> None:
        """OSError where this process may not (it takes root), RuntimeError where the kernel does not stamp."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._attach_filter(port)
        self._socket.setblocking(False)
        # Of this one protocol, and so what comes in only: a watch on all would see each segment twice.
        self._socket.bind(("lo", _ETH_P_IP))
        _await_stamping()
        self._flows: dict[int, Flow] = {}

    def flows(self) -> list[Flow]:
        """Reads what came; every connection to the port so far, in the order of their first segments."""
        while True:
            try:
                packet, extra, _, _ = self._socket.recvmsg(_LARGEST_BYTES, 64)
            except BlockingIOError:
                break
            self._take(packet, _stamp_s(extra))
        _, dropped = struct.unpack("II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        if dropped:
            raise RuntimeError(f"the kernel dropped {dropped} segments before they were read")
        return list(self._flows.values())

    def _take(self, packet: bytes, stamp_s: float) -> None:
        ip_bytes = (packet[0] & 0x0F) * 4
        total_bytes = struct.unpack_from("!H", packet, 2)[0]
        port, _, number = struct.unpack_from("!HHI", packet, ip_bytes)
        tcp_bytes = (packet[ip_bytes + 12] >> 4) * 4
        opens = bool(packet[ip_bytes + 13] & 0x02)
        if opens:
            self._flows[port] = Flow(number + 1)
        elif flow := self._flows.get(port):
            flow.take(number, packet[ip_bytes + tcp_bytes : total_bytes], stamp_s)

    def _attach_filter(self, port: int) -> None:
        """TCP to `port` and nothing else, sorted out by the kernel (classic BPF)."""
        take, drop = 0xFFFFFFFF, 0
        program = [
            (0x30, 0, 0, 9),  # the protocol's number
            (0x15, 0, 4, socket.IPPROTO_TCP),  # where it is another, to the end
            (0xB1, 0, 0, 0),  # X = length of the IP header
            (0x48, 0, 0, 2),  # the port it goes to
            (0x15, 0, 1, port),
            (0x06, 0, 0, take),
            (0x06, 0, 0, drop),
        ]
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
        pointer = struct.pack("HxxxxxxP", len(program), ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, pointer)

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def _await_stamping() -> None:
    """Returns when the kernel stamps what arrives.

    It begins some time after the first socket asked for stamps (a job of its own workqueue, `net_enable_timestamp`);
    until then what is read has the moment of reading for a stamp, and nothing tells.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        probe.bind(("127.0.0.1", 0))
        probe.settimeout(_STAMPING_WITHIN_S)
        give_up_s = time.monotonic() + _STAMPING_WITHIN_S
        while time.monotonic() < give_up_s:
            probe.sendto(b"?", probe.getsockname())
            sent_s = time.time()
            time.sleep(_PROBE_WAIT_S)
            _, extra, _, _ = probe.recvmsg(1, 64)
            if _stamp_s(extra) <= sent_s:
                return
    raise RuntimeError("the kernel does not stamp what arrives")


def _stamp_s(extra: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in extra:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack("qq", data[:16])
            return float(seconds + nanoseconds / 1e9)
    raise RuntimeError("a segment without the kernel's stamp")


@dataclass
class Flow:
    """What one connection sent, from its first byte on."""

    expected: int
    """The sequence number that comes next."""
    _stamps_s: list[float] = field(default_factory=list)
    _waiting: bytearray = field(default_factory=bytearray)
    _reader: FrameReader | None = None

    @property
    def stamps_s(self) -> NDArray[np.float64]:
        """When each media frame was complete: seconds of CLOCK_REALTIME."""
        return np.array(self._stamps_s)

    def take(self, number: int, data: bytes, stamp_s: float) -> None:
        """A segment that begins with the byte of that sequence number; one that was seen already counts once."""
        if not data:
            return
        seen = (self.expected - number) & 0xFFFFFFFF
        if seen >= 1 << 31:
            raise RuntimeError("a segment is missing")
        if not (new := data[seen:]):
            return
        self.expected = (number + len(data)) & 0xFFFFFFFF
        self._waiting += new
        if self._reader is None and self._waiting[0] < 0x20:
            self._take_tls(stamp_s)
        else:
            self._take_plain(stamp_s)

    def _take_tls(self, stamp_s: float) -> None:
        while len(self._waiting) >= 5:
            length = int.from_bytes(self._waiting[3:5], "big")
            if len(self._waiting) < 5 + length:
                return
            if self._waiting[0] == _TLS_DATA and _LEAST_MEDIA_BYTES <= length <= _MOST_MEDIA_BYTES:
                self._stamps_s.append(stamp_s)
            del self._waiting[: 5 + length]

    def _take_plain(self, stamp_s: float) -> None:
        if self._reader is None:
            head, end, _ = self._waiting.partition(b"\r\n\r\n")
            if not end or not head.startswith(b"GET "):
                return  # a session's request; nothing else follows on its connection
            self._reader = FrameReader(1 << 20)
            del self._waiting[: len(head) + len(end)]
        for opcode, payload in self._reader.feed(bytes(self._waiting)):
            if opcode == TEXT and len(payload) >= _LEAST_MEDIA_BYTES and b'"media"' in payload[:32]:
                self._stamps_s.append(stamp_s)
        self._waiting.clear()
