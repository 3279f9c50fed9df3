"""Set-ups that are broken, as data: how each comes about, and the words by which a screen names it and what helps."""

from __future__ import annotations

import functools
import os
import re
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingestd.control.client import ControlClient
from ingestd.ctl import words
from tests.integration.matrix.device import WatchedDevice
from tests.integration.matrix.judging import wait_streaming
from tests.integration.matrix.site import QUICK, Site
from tests.integration.matrix.table import TABLE
from tests.integration.terminal_case import CTL, Good, is_lost, lasting
from tests.integration.test_power_cut import PoweredDevice
from tests.rig.alsa_device import AlsaDevice, alsa_device
from tests.rig.process import wait_until
from tests.rig.sound import SoundRig
from tests.standin.client import SessionFault, SocketFault, StandIn

_ALWAYS = 1000
"""More often than anybody tries."""
_CUT = SocketFault("close", code=3000)
"""Ends a connection so that the next one meets what was prepared for it."""
_JOINED_MS = 50.0
_GUARD_S = 30.0

Command = Sequence[str | Path]


class World:
    """What set-ups are made in, each part once it is needed. One thread, which has to outlive it."""

    def __init__(self, directory: Path, good: Good, stack: ExitStack) -> None:
        """`good` is a device that all is well with; `stack` ends everything."""
        self.good = good
        self._directory = directory
        self._stack = stack

    def folder(self, name: str) -> Path:
        """A new one, which others may enter; another one where the same set-up is made again."""
        folder = Path(tempfile.mkdtemp(prefix=name, dir=self._directory))
        folder.chmod(0o755)
        return folder

    def room(self) -> StandIn:
        """A new one, as in one room a device displaces another by its name."""
        return self._stack.enter_context(StandIn(tls=True))

    @functools.cached_property
    def struck(self) -> tuple[Site, WatchedDevice]:
        """A device that any cause of the fault matrix may strike, with its service."""
        site = self._stack.enter_context(Site(self.folder("site")))
        device = site.device({**QUICK, "pong_within_s": 1.0})
        self._stack.callback(device.kill)
        wait_streaming(device, site, 0)
        device.wait(lambda: not is_lost(device.status()), "both sound devices", _GUARD_S)
        return site, device

    @functools.cached_property
    def sound(self) -> tuple[SoundRig, AlsaDevice, Path]:
        """A device with a microphone and a loudspeaker that can be pulled out, and its control socket."""
        rig = self._stack.enter_context(SoundRig())
        environment = self._stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in rig.env().items():
            environment.setenv(name, value)
        folder = self.folder("sound")
        device = self._stack.enter_context(alsa_device(self.room(), folder))
        wait_until((socket := folder / "control.sock").exists, 20, "the control socket")
        return rig, device, socket


Happens = Callable[[World], AbstractContextManager[Command]]
"""Brings a set-up about, until it ends; `ingestctl` for that device, without the command."""


@dataclass(frozen=True)
class Broken:
    """One of them. Patterns are searched in a screen that is one line."""

    name: str
    stands: str
    """A pattern of what the screen begins with."""
    cause: str
    remedy: str
    """A pattern of what a person is to do; it stands after the cause."""
    happens: Happens
    marks: tuple[pytest.MarkDecorator, ...] = ()

    def is_named_in(self, seen: str) -> bool:
        """Whether a screen tells where the device stands, what is wrong and, after that, what helps."""
        return re.match(self.stands, seen) is not None and re.search(f"{self.cause}.*?{self.remedy}", seen) is not None


OUT = "NOT IN THE ROOM for "
IN = "IN THE ROOM for "
EITHER = f"{OUT}|{IN}"
NO_ANSWER = "NO ANSWER|ingestctl: no answer"


def _asks(socket: Path) -> list[str | Path]:
    return [*CTL, "--socket", socket]


def _struck(strike: Callable[[Site], object], *, cut: bool = True) -> Happens:
    """Something strikes the device's way into its room, from its next session on."""

    @contextmanager
    def happens(world: World) -> Iterator[Command]:
        site, device = world.struck
        site.turn()
        strike(site)
        if cut:
            assert site.room.inject(_CUT, call=site.current_call)
        yield _asks(device.device.socket)
        site.mend()
        site.write_token(site.room.token)  # the first one again: of another one the device would hear in the next case
        epoch = device.status()["session"]["epoch"]  # up to this one they may be struck yet
        device.call("reconnect")

        def well() -> bool:  # also by what is told, by another thread a moment later
            session = (status := device.status())["session"]
            return bool(session["joined"]) and session["epoch"] > epoch and not lasting(status)

        device.wait(well, "the room again, and no fault that lasts", _GUARD_S)

    return happens


def _matrix(cause: str) -> Happens:
    strike = TABLE[cause].creating
    assert not isinstance(strike, str)
    return _struck(strike.do)


def _answers(**fault: Any) -> Happens:
    """Every session request is answered like that."""
    return _struck(lambda site: site.room.fail_sessions(SessionFault(**fault), _ALWAYS))


def _connections(*faults: SocketFault) -> Happens:
    """Every connection to the room ends like that."""
    return _struck(lambda site: site.room.script_sockets(*faults, times=_ALWAYS))


def _no_name(site: Site) -> None:
    if site.resolver is not None:
        site.resolver.tell("room.invalid", "denies")
    site.room.configure(public_base="wss://room.invalid:1")


def _pulled_out(kind: str) -> Happens:
    @contextmanager
    def happens(world: World) -> Iterator[Command]:
        rig, device, socket = world.sound

        def is_well() -> bool:  # also by what is told, by another thread than the one that loses and finds it
            return not is_lost(status := device.status()) and not lasting(status)

        wait_until(is_well, 20, "both sound devices")
        card = rig.mic if kind == "capture" else rig.speaker
        card.unplug()
        wait_until(lambda: device.lost(kind) and kind in lasting(device.status()), 20, "the loss")
        yield _asks(socket)
        card.replug(warm=False)
        wait_until(is_well, 20, "the device again")

    return happens


@contextmanager
def _last_good(world: World) -> Iterator[Command]:
    device = PoweredDevice(world.folder("powered"), world.room())
    with device.on(device.text):
        pass
    with device.on(device.text + "sesion: {}\n"):
        yield _asks(device.socket)


@contextmanager
def _muted(world: World) -> Iterator[Command]:
    with ControlClient(world.good.socket) as client:
        client.call("mute")
        yield _asks(world.good.socket)
        client.call("unmute")


@contextmanager
def _not_running(world: World) -> Iterator[Command]:
    yield _asks(world.folder("empty") / "control.sock")


_AS_NOBODY = "import os, sys; os.setgroups([]); os.setgid(65534); os.setuid(65534); os.execv(sys.argv[1], sys.argv[1:])"


@contextmanager
def _not_permitted(world: World) -> Iterator[Command]:
    """Somebody else asks, for whom the way to the socket is open, but not the socket."""
    with tempfile.TemporaryDirectory() as open_to_all:
        socket = Path(open_to_all) / "control.sock"
        socket.parent.chmod(0o755)
        os.link(world.good.socket, socket)
        assert stat.S_IMODE(socket.stat().st_mode) & 0o007 == 0
        yield [sys.executable, "-c", _AS_NOBODY, *_asks(socket)]


BROKEN = (
    Broken("401", OUT, r"the backend answered 401", r"Put a fresh token there", _matrix("401")),
    Broken("404", OUT, r"the backend answered 404", r"Check session\.room_id", _matrix("404")),
    Broken(
        "token-missing",
        OUT,
        r"the token file does not exist",
        r"Write the token alone into \S+/token",
        _matrix("token_missing"),
    ),
    Broken("refused", OUT, r"[Cc]onnection refused", r"see whether it runs, and on which port", _matrix("refused")),
    Broken("ca", OUT, r"certificate", r"Name the CA in backend\.ca_file", _matrix("ca_untrusted")),
    Broken("name", OUT, r"can't resolve room\.invalid", r"try `getent hosts", _struck(_no_name)),
    Broken("500", OUT, r"the backend answered 500", r"for hours, ask whoever runs it\.", _answers(status=500)),
    Broken(
        "429",
        OUT,
        r"next attempt in \d+ s.*the backend answered 429",
        r"too many devices share one token",
        _answers(status=429, retry_after="30"),
    ),
    Broken("portal", OUT, r"answered 200 without data\.wsUrl", r"mend backend\.url", _answers(body="html")),
    Broken(
        "start-timeout",
        EITHER,
        r"code 1008 “start timeout”",
        r"a proxy holds frames back",
        _connections(SocketFault("close", at="open", code=1008, reason="start timeout")),
    ),
    Broken(
        "thrown-out",
        EITHER,
        r"code 1008 “session expired”",
        r"hands out old URLs, or one URL twice",
        _connections(SocketFault("close", at="join", after_ms=_JOINED_MS, code=1008, reason="session expired")),
    ),
    Broken(
        "garbage",
        EITHER,
        r"masked frame",
        r"look for a proxy or firewall that inspects connections",
        _connections(SocketFault("garbage", at="join", after_ms=_JOINED_MS, kind="masked")),
    ),
    Broken(
        "silent",
        EITHER,
        r"no answer to a ping",
        r"look at the signal of Wi-Fi or modem",
        _struck(lambda site: site.room.inject(SocketFault("mute", for_s=60.0), call=site.current_call), cut=False),
    ),
    Broken(
        "microphone",
        IN,
        r"(?=.*NO MICROPHONE).*capture device 'mic'",
        re.escape(words.DEVICE_REMEDY["capture"]),
        _pulled_out("capture"),
    ),
    Broken(
        "loudspeaker",
        IN,
        r"(?=.*NO LOUDSPEAKER).*playback device 'speaker'",
        re.escape(words.DEVICE_REMEDY["playback"]),
        _pulled_out("playback"),
    ),
    Broken(
        "last-good",
        IN,
        rf"{words.LAST_GOOD}.*sesion: is not a key ingestd knows; did you mean session\?",
        re.escape(words.LAST_GOOD_REMEDY),
        _last_good,
    ),
    Broken("muted", IN, words.MUTED, r"`ingestctl unmute` ends that", _muted),
    Broken("not-running", NO_ANSWER, r"No such file or directory", r"`systemctl status ingestd`", _not_running),
    Broken(
        "not-permitted",
        NO_ANSWER,
        r"Permission denied",
        r"use sudo, or `sudo usermod -aG ingestd",
        _not_permitted,
        (pytest.mark.root,),
    ),
)
