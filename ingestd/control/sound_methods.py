"""What the control socket can do to the sound: mute, unmute, gain. Control thread.

What is set holds at once, and is answered when it is kept: `kept`, or `why` it is not, and a restart may lose it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from ingestd.control.protocol import INVALID_PARAMS, RpcError
from ingestd.control.server import Method
from ingestd.core.level import HIGHEST_GAIN_DB, LOWEST_GAIN_DB
from ingestd.system.sound_state import SoundState


def sound_methods(state: SoundState) -> dict[str, Method]:
    """The methods by name. Each takes the params and raises RpcError."""

    def set_mute(on: bool) -> Future[Any]:
        return _answer(state.set_mute(on), {"muted": on})

    def gain(params: Mapping[str, Any]) -> Any:
        if unknown := sorted(set(params) - set(state.gains)):
            raise RpcError(INVALID_PARAMS, f"{unknown[0][:64]!r} is neither capture_db nor playback_db")
        for name, value in params.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise RpcError(INVALID_PARAMS, f"{name} is to be a number")
            if not LOWEST_GAIN_DB <= value <= HIGHEST_GAIN_DB:
                raise RpcError(INVALID_PARAMS, f"{name} is to be {LOWEST_GAIN_DB:g} to {HIGHEST_GAIN_DB:g} dB")
        kept = state.set_gains({name: float(value) for name, value in params.items()}) if params else None
        gains = {name: gain.gain_db for name, gain in state.gains.items()}
        return gains if kept is None else _answer(kept, gains)

    return {"mute": lambda _params: set_mute(True), "unmute": lambda _params: set_mute(False), "gain": gain}


def _answer(kept: Future[str | None], what: dict[str, Any]) -> Future[Any]:
    answer = Future[Any]()

    def told(done: Future[str | None]) -> None:
        why = done.result()
        answer.set_result({**what, "kept": True} if why is None else {**what, "kept": False, "why": why})

    kept.add_done_callback(told)
    return answer
