"""Who may speak to the daemon: asked of the kernel for each connection, whatever the socket's file lets in."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import Final, NamedTuple

from ingestd.control.protocol import FORBIDDEN, RpcError
from ingestd.system.journal import LOG

_SO_PEERGROUPS: Final = 59  # asm-generic/socket.h; Python has no name for it
_UCRED: Final = struct.Struct("=iII")  # pid, uid, gid: unix(7)
_MOST_GROUPS_BYTES: Final = 1024  # all that Python's getsockopt takes
_MOST_UIDS_TOLD: Final = 64


class Peer(NamedTuple):
    """The process at the other end, as it was when it connected."""

    pid: int
    uid: int
    gids: frozenset[int]
    """Its effective group, and the supplementary ones."""


def peer_of(sock: socket.socket) -> Peer:
    """Who is at the other end of a connected Unix socket. Raises OSError."""
    pid, uid, gid = _UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    try:
        groups = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_GROUPS_BYTES)
    except OSError:  # more than 256 groups: then it is the effective one that counts
        groups = b""
    return Peer(pid, uid, frozenset((gid, *(number for (number,) in struct.iter_unpack("=I", groups)))))


class Peers:
    """Serves root, the daemon's own user, and the group that the socket's file belongs to. Control thread."""

    def __init__(self, socket_gid: Callable[[], int], own_uid: int | None = None) -> None:
        """`socket_gid` is asked for each connection, as an administrator may give the socket to another group."""
        self._socket_gid = socket_gid
        self._own_uid = os.geteuid() if own_uid is None else own_uid
        self._told: set[int] = set()

    def check(self, peer: Peer) -> None:
        """Raises RpcError where that one is not served, and has it in the log once for each user."""
        gid = self._socket_gid()
        if peer.uid in (0, self._own_uid) or gid in peer.gids:
            return
        if peer.uid not in self._told and len(self._told) < _MOST_UIDS_TOLD:
            self._told.add(peer.uid)
            LOG.warning(
                "control socket: uid %d (pid %d) is neither root, nor uid %d, nor in group %d, and is not served; "
                "see who may get at the socket's folder",
                peer.uid,
                peer.pid,
                self._own_uid,
                gid,
            )
        raise RpcError(
            FORBIDDEN,
            f"uid {peer.uid} is not served: only root, uid {self._own_uid} and members of group {gid} are "
            f"(`getent group {gid}` names it; who is added to it has to log in anew)",
        )
