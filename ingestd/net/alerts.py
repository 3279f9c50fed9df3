"""What a server said before it closed a connection that we were still sending on."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Final

_ALERT_S: Final = 0.1
"""What came before the end of the connection is there or it is not."""


@contextlib.contextmanager
def sending(sock: socket.socket) -> Iterator[None]:
    """Where sending over `sock` fails within it, raises the TLS alert that tells why, if there is one.

    With TLS 1.3 a server refuses our certificate only after the handshake is over for us, and then closes.
    """
    try:
        yield
    except TimeoutError:
        raise
    except OSError:
        with contextlib.suppress(TimeoutError):
            sock.settimeout(_ALERT_S)
            sock.recv(1)
        raise
