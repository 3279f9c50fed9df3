"""What the control socket can do to the sound: mute, unmute, gain. Control thread.

What is set here lasts until the daemon ends; the configuration says what it starts with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ingestd.control.protocol import INVALID_PARAMS, RpcError
from ingestd.control.server import Method
from ingestd.core.level import HIGHEST_GAIN_DB, LOWEST_GAIN_DB, Gain, Mute

_SIDES: Final = ("capture_db", "playback_db")


def sound_methods(capture: Gain, playback: Gain, mute: Mute) -> dict[str, Method]:
    """The methods by name. Each takes the params and raises RpcError."""
    gains = dict(zip(_SIDES, (capture, playback), strict=True))

    def set_mute(on: bool) -> bool:
        mute.on = on
        return True

    def gain(params: Mapping[str, Any]) -> dict[str, float]:
        if unknown := sorted(set(params) - set(gains)):
            raise RpcError(INVALID_PARAMS, f"{unknown[0][:64]!r} is neither capture_db nor playback_db")
        for name, value in params.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise RpcError(INVALID_PARAMS, f"{name} is to be a number")
            if not LOWEST_GAIN_DB <= value <= HIGHEST_GAIN_DB:
                raise RpcError(INVALID_PARAMS, f"{name} is to be {LOWEST_GAIN_DB:g} to {HIGHEST_GAIN_DB:g} dB")
        for name, value in params.items():
            gains[name].set(float(value))
        return {name: gains[name].gain_db for name in _SIDES}

    return {"mute": lambda _params: set_mute(True), "unmute": lambda _params: set_mute(False), "gain": gain}
