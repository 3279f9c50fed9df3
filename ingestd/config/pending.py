"""Keys that are read and checked, but that this version does not act on yet: said at start, never passed over."""

from __future__ import annotations

from typing import Final

from ingestd.config.schema import Config

_IDLE: Final = {
    "hooks": (),
    "metrics.listen": None,
}
"""Path → the value that asks for nothing."""


def pending(config: Config) -> list[str]:
    """The keys that `config` sets and nothing heeds."""
    def value(path: str) -> object:
        found: object = config
        for name in path.split("."):
            found = getattr(found, name)
        return found

    return [path for path, idle in _IDLE.items() if value(path) != idle]
