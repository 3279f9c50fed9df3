"""How each cause is brought about: on the stand-in, on our proxies, by the name server, by the token's file."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.integration.matrix.device import GUARD_S
from tests.integration.matrix.site import API, ROOM, Site
from tests.rig.process import wait_until
from tests.rig.proxy import FaultProxy
from tests.standin.client import SessionFault, SocketFault
from tests.standin.faults import When

FOR_GOOD = 1000
"""More often than any case tries."""


class Kind(enum.Enum):
    """What the device has to do about it."""

    PASSES = "waits a little, and streams again by itself"
    ASKED = "waits as long as it was asked to, and streams again by itself"
    EXPIRED = "takes one new session at once"
    PERSON = "waits for a person, and streams at once when something was done"
    ENDED = "goes back after a while; no fault"
    HARMLESS = "goes on"


@dataclass(frozen=True)
class Strike:
    """One way to strike."""

    do: Callable[[Site], None]
    requests: int | None = None
    """Session requests from then on until it streams again, by policy; None: until it is mended, as often as fits."""
    lasts: bool = False
    """It has to be mended before the device can stream again."""
    kind: Kind | None = None
    """Where this moment makes another kind of it than its cause is."""
    says: str | None = None
    """Where this moment has other words for it."""
    needs_names: bool = False
    """It needs a name server of ours."""


def answered(*, times: int = 2, lasts: bool = False, **fault: Any) -> Strike:
    """The next session requests meet a `SessionFault`: so many of them, or all until that is mended."""
    return Strike(
        lambda site: site.room.fail_sessions(SessionFault(**fault), FOR_GOOD if lasts else times),
        None if lasts else times + 1,
        lasts,
    )


def refused(status: int, *, kind: Kind | None = None, says: str | None = None, **fault: Any) -> Strike:
    """The next opening handshake is answered with an HTTP status."""
    return _on_next(SocketFault("refuse", at="upgrade", status=status, **fault), kind, says)


def upgraded(action: Any, *, says: str | None = None, **fault: Any) -> Strike:
    """Something else becomes of the next opening handshake."""
    return _on_next(SocketFault(action, at="upgrade", **fault), None, says)


def opened(action: Any, *, at: When = "open", says: str | None = None, **fault: Any) -> Strike:
    """It strikes the next connection once it is open, before its `start` has come."""
    return _on_next(SocketFault(action, at=at, **fault), None, says)


def _on_next(fault: SocketFault, kind: Kind | None, says: str | None) -> Strike:
    return Strike(lambda site: site.room.script_sockets(fault), requests=2, kind=kind, says=says)


def injected(action: Any, **fault: Any) -> Strike:
    """It strikes the present connection."""
    return Strike(lambda site: _inject(site, SocketFault(action, **fault)), requests=1)


def _inject(site: Site, fault: SocketFault) -> None:
    # A second session may take over between the look and the blow, which is then for that one.
    wait_until(lambda: site.room.inject(fault, call=site.current_call), GUARD_S, "a connection that was struck")


def api(disturb: Callable[[FaultProxy], None], says: str | None = None) -> Strike:
    """The way to the backend is disturbed until it is mended."""
    return Strike(lambda site: disturb(site.api), lasts=True, says=says)


def next_door(disturb: Callable[[FaultProxy], None], says: str | None = None) -> Strike:
    """The next connection's way to the room is disturbed until it is mended."""
    return Strike(lambda site: disturb(site.next_door), lasts=True, says=says)


def door(disturb: Callable[[FaultProxy], None], says: str | None = None) -> Strike:
    """The present connection's way is disturbed; the next one goes another way."""
    return Strike(lambda site: disturb(site.door), requests=1, says=says)


def switched(says: str | None = None, requests: int | None = None, **switches: Any) -> Strike:
    """The stand-in behaves otherwise until it is mended."""
    return Strike(lambda site: site.room.configure(**switches), requests=requests, lasts=requests is None, says=says)


def api_name(mood: Any) -> Strike:
    """What becomes of the backend's name."""
    return _name(API, mood)


def room_name(mood: Any) -> Strike:
    """What becomes of the room's name."""
    return _name(ROOM, mood)


def _name(name: str, mood: Any) -> Strike:
    def do(site: Site) -> None:
        assert site.resolver is not None
        site.resolver.tell(name, mood)

    return Strike(do, lasts=True, needs_names=True)


def api_certificate(which: str) -> Strike:
    """The backend shows a certificate that is `untrusted` or `expired`."""
    return Strike(lambda site: site.api_leads_to(getattr(site, which)), lasts=True)


def room_certificate(which: str) -> Strike:
    """The room's server shows such a one."""
    return Strike(lambda site: site.room_is_at(getattr(site, which)), lasts=True)


def expired_token() -> Strike:
    """The token in the file is past its end."""
    return Strike(lambda site: site.write_token(site.another_token(expired=True)), lasts=True)


def no_token() -> Strike:
    """The token's file is gone."""
    return Strike(lambda site: site.token_file.unlink(), lasts=True)
