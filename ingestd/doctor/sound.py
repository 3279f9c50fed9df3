"""The sound devices while the daemon is stopped, and at any time the mixers and the names of the devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import ingestd
from ingestd.audio.proc_cards import users_of
from ingestd.config.schema import Config
from ingestd.core.check import Check, failed, ok, skipped, warning
from ingestd.core.soundcheck import judged_level
from ingestd.doctor.device_names import judged_name
from ingestd.doctor.mixers import judged_controls
from ingestd.doctor.situation import Situation
from ingestd.net.stream import printable
from ingestd.system.user import User

LISTEN_S: Final = 2.0
_ANSWER_S: Final = 12.0
_RESTART_IT: Final = "restart the sound server behind it (`systemctl --user restart pipewire`, or pulseaudio)"

Kind = Literal["capture", "playback"]
_NAMES: Final[dict[Kind, str]] = {"capture": "microphone", "playback": "speaker"}


def checks(situation: Situation, *, opening: bool) -> Iterator[Check]:
    """What the devices are called and what is switched off on their cards; with `opening`, the devices themselves.

    They are opened as the daemon does it, but for its mixer, which stays as it is: one listens, one plays silence or
    a tone. Without `opening` a call is not disturbed.
    """
    config = situation.config
    if config is None:
        yield skipped("devices", "no configuration names them")
        return
    for kind, name in _NAMES.items():
        side = config.audio.capture if kind == "capture" else config.audio.playback
        if promise := judged_name(name, kind, side.device):
            yield promise
        question = _question(config, kind) | {"open": opening, "tone": situation.wishes.tone}
        try:
            answer = _asked(question, situation.user)
        except _NoAnswer as error:
            yield failed(name, f"{side.device!r}: {error}", error.remedy)
            continue
        yield judged_controls(f"{name} mixer", kind, answer["controls"], side.mixer.control if side.mixer else None)
        if not opening:
            continue
        if "error" in answer:
            what, _, remedy = printable(answer["error"]).partition("; ")
            if users := users_of(side.device, kind):
                what += f", held by {', '.join(map(str, users))}"
            yield failed(name, what, f"{remedy}{'; ' if remedy else ''}or correct audio.{kind}.device")
        elif kind == "capture":
            yield from _microphone(answer)
        else:
            yield from _speaker(answer, situation.wishes.tone)


def _microphone(answer: dict[str, Any]) -> Iterator[Check]:
    name, heard_s = "microphone", answer["heard_s"]
    if heard_s == 0:
        said = f"{answer['device']!r} is open, but delivers nothing"
        yield failed(name, said, "plug it in again; see its sound server and `dmesg`")
        return
    yield _opened(name, answer)
    shown = f"level {answer['level_dbfs']:g} dBFS, peak {answer['peak_dbfs']:g} dBFS over {heard_s:.1f} s"
    yield judged_level("microphone level", shown, answer["peak_dbfs"], answer["clipped"])


def _speaker(answer: dict[str, Any], tone: bool) -> Iterator[Check]:
    name, wanted_s = "speaker", answer["wanted_s"]
    if answer["played_s"] < wanted_s / 2:
        yield failed(name, f"{answer['device']!r} is open, but plays nothing", "see its sound server and `dmesg`")
        return
    yield _opened(name, answer)
    if tone:
        yield ok("tone", f"the device took {answer['played_s']:.1f} s of it; if you heard nothing, see its volume")
    else:
        yield skipped("tone", "not asked for", "`ingestctl doctor --tone` plays one")


def _opened(name: str, answer: dict[str, Any]) -> Check:
    said = f"{answer['device']!r} opens: 8000 Hz, period {answer['period_ms']:g} ms, buffer {answer['buffer_ms']:g} ms"
    if answer["hardware_rate_hz"] is not None:
        by = f", converted by {answer['converter']}" if answer["converter"] else ""
        said += f"; the hardware runs at {answer['hardware_rate_hz']} Hz{by}"
    if answer["warnings"]:
        what, _, remedy = "; ".join((said, *answer["warnings"])).rpartition(": ")
        return warning(name, what, remedy)
    return ok(name, said)


def _question(config: Config, kind: Kind) -> dict[str, Any]:
    capture = config.audio.capture
    if kind == "playback":
        return {"kind": kind, "device": config.audio.playback.device}
    asked = {"kind": kind, "device": capture.device, "channel": capture.channel, "gain_db": capture.gain_db}
    return asked | {"seconds": LISTEN_S}


class _NoAnswer(Exception):  # noqa: N818 - what happened; never leaves this module
    """The probe did not answer; its text says why, and `remedy` what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def _asked(question: dict[str, Any], user: User | None) -> dict[str, Any]:
    """What the probe answers. As the daemon's user, where this process may do that. Raises _NoAnswer."""
    # -P and our own path: what lies in the present folder is not to be run by a root that looks for faults there.
    command = [sys.executable, "-P", "-m", "ingestd.doctor.sound_probe"]
    env = {**os.environ, "PYTHONPATH": str(Path(ingestd.__file__).parents[1])}
    whose = user.starting() if user else {}
    if whose and user:
        env |= {"HOME": user.home, "USER": user.name}
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and the program is this package's own
            command,
            input=json.dumps(question).encode(),
            capture_output=True,
            timeout=_ANSWER_S,
            check=False,
            env=env,
            **whose,
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise _NoAnswer(f"no answer within {_ANSWER_S:.0f} s: its sound server hangs", _RESTART_IT) from None
    except OSError as error:
        whom = f" as the daemon's user {user.name}" if user and whose else ""
        remedy = f"let that user run {sys.executable}"
        raise _NoAnswer(f"it can't be tried{whom}: {error.strerror}", remedy) from None
    except ValueError:
        last = "".join(done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:])
        told = f"the try ended with status {done.returncode}: {printable(last)}"
        raise _NoAnswer(told, "see `dmesg`, as libasound's plugins may crash; else please report this") from None
    return answer
