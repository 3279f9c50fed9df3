"""What can strike a device, each with how its cause is undone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from ingestd.control.protocol import METHOD_NOT_FOUND, RpcError
from tests.rig import netns
from tests.soak.plugs import Device
from tests.soak.world import World
from tests.standin.client import SessionFault, SocketFault
from tests.standin.garbage import BREAKS_OFF
from tests.standin.garbage import KINDS as GARBAGE

_MANY: Final = 1000
_WITHOUT_SENSE: Final = tuple(kind for kind in GARBAGE if kind not in BREAKS_OFF)


class NotHereError(Exception):
    """It can't strike: what it needs is not there. Its text says what."""


Striking = Callable[[World, Random], str | None]
"""Brings a fault about, and says what exactly where that was drawn. Raises NotHereError."""


@dataclass(frozen=True)
class Kind:
    """One kind of fault."""

    name: str
    strike: Striking
    undo: Callable[[World], None] | None = None
    """Takes the cause away; None where it needs no undoing."""
    lasts_s: tuple[float, ...] = (0.0,)
    """How long the cause stays, one of these; what needs no undoing may end by itself (a Retry-After)."""
    device: Device | None = None
    """Whose sound has to come back; None where any media from the device will do."""
    root: bool = False
    """It needs the device's own cable."""


def _simply(act: Callable[[World], None]) -> Striking:
    return lambda world, _random: act(world)


def _restore(world: World) -> None:
    world.wire.restore()
    world.backend.restore()


def _black_hole(world: World, _random: Random) -> None:
    world.wire.black_hole()
    world.backend.black_hole()


def _refuse(world: World, _random: Random) -> None:
    world.wire.refuse()
    world.backend.refuse()
    world.wire.reset()


def _cut_mid_frame(world: World, random: Random) -> str:
    bytes_, way = random.randint(1, 3000), random.choice(("up", "down"))
    world.wire.cut_mid_frame(bytes_, "up" if way == "up" else "down")
    return f"{bytes_} B {way}"


def _pull(end: netns.End) -> tuple[Striking, Callable[[World], None]]:
    def down(world: World, _random: Random) -> None:
        assert world.site is not None
        world.site.link_down(end)

    def up(world: World) -> None:
        assert world.site is not None
        world.site.link_up(end)

    return down, up


def _inject(fault: SocketFault) -> Striking:
    def strike(world: World, _random: Random) -> None:
        world.room.inject(fault)

    return strike


def _garbage(kinds: Sequence[str]) -> Striking:
    def strike(world: World, random: Random) -> str:
        kind = random.choice(kinds)
        world.room.inject(SocketFault("garbage", kind=kind))
        return kind

    return strike


def _backend(fault: SessionFault, times: int = _MANY) -> Striking:
    def strike(world: World, _random: Random) -> None:
        world.room.fail_sessions(fault, times)
        world.wire.reset()  # or nobody would ask for a session

    return strike


def _upgrade(fault: SocketFault, times: int = _MANY) -> Striking:
    def strike(world: World, _random: Random) -> None:
        world.room.script_sockets(fault, times=times)
        world.wire.reset()

    return strike


def _heal(world: World) -> None:
    world.room.clear_faults()


def _bad_token(world: World, _random: Random) -> None:
    world.write_token(world.room.mint_token(expires_in_s=-60))
    world.wire.reset()


def _good_token(world: World) -> None:
    world.write_token(world.room.mint_token())


def _reconnect(world: World, _random: Random) -> None:
    try:
        world.ask("reconnect")
    except RpcError as error:
        if error.code == METHOD_NOT_FOUND:
            raise NotHereError("the daemon knows no such method") from None
        raise


def _unplugged(device: Device) -> Kind:
    return Kind(
        device,
        lambda world, _random: world.plugs.unplug(device),
        lambda world: world.plugs.plug_in(device),
        (2.7, 3.0, 3.3),
        device=device,
    )


def _close(code: int, reason: str = "") -> Kind:
    return Kind(f"close_{code}", _inject(SocketFault("close", code=code, reason=reason)))


_CABLE_AT_DEVICE: Final = _pull("device")
_CABLE_FAR: Final = _pull("far")

KINDS: Final = (
    # the network
    Kind("tcp_reset", _simply(lambda world: world.wire.reset())),
    Kind("cable_at_device", *_CABLE_AT_DEVICE, (10.0,), root=True),
    Kind("cable_far", *_CABLE_FAR, (4.0, 10.0), root=True),
    Kind("black_hole_4s", _black_hole, _restore, (4.0,)),
    Kind("black_hole_10s", _black_hole, _restore, (10.0,)),
    Kind("stall", _simply(lambda world: world.wire.stall()), _restore, (2.0, 6.0)),
    Kind("trickle", _simply(lambda world: world.wire.trickle(400)), _restore, (6.0,)),
    Kind("cut_mid_frame", _cut_mid_frame),
    Kind("refused", _refuse, _restore, (8.0,)),
    # the room's server
    _close(1001, "going away"),
    Kind("close_1006", _inject(SocketFault("drop"))),
    _close(1011, "internal error"),
    _close(1012, "restart"),
    _close(1013, "try again later"),
    _close(1008, "session expired"),
    _close(1000),
    _close(4001, "kicked"),
    Kind("meeting_left", _inject(SocketFault("end_meeting"))),
    Kind("deaf_server", _inject(SocketFault("stop_reading", for_s=6.0)), lasts_s=(6.0,)),
    Kind("garbage", _garbage(_WITHOUT_SENSE)),
    Kind("nonsense", _garbage(BREAKS_OFF)),
    Kind("upgrade_503", _upgrade(SocketFault("refuse", at="upgrade", status=503)), _heal, (4.0,)),
    Kind("upgrade_429", _upgrade(SocketFault("refuse", at="upgrade", status=429, retry_after="2"), 1), None, (2.0,)),
    # the session backend
    Kind("backend_500", _backend(SessionFault(500)), _heal, (4.0,)),
    Kind("backend_503", _backend(SessionFault(503)), _heal, (8.0,)),
    Kind("backend_429", _backend(SessionFault(429, retry_after="2"), 1), None, (2.0,)),
    Kind("backend_portal", _backend(SessionFault(body="html")), _heal, (4.0,)),
    Kind("backend_401", _bad_token, _good_token, (5.0,)),
    # the device itself
    _unplugged("microphone"),
    _unplugged("speaker"),
    Kind("new_token", lambda world, _random: _good_token(world)),
    Kind("reconnect", _reconnect),
)
"""All kinds; those that a promise is made of stand first of their group."""
