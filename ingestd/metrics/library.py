"""The library that writes Prometheus' text: optional, loaded only where figures are asked for."""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import sys
from collections.abc import Callable
from typing import Any, Final

from ingestd.errors import MetricsError

_NAME: Final = "prometheus_client"
VERSIONS: Final = ">=0.16, <0.27"
"""As in setup.cfg."""

Status = Callable[[], dict[str, Any]]
Expiry = Callable[[], float | None]
"""When the backend's token expires, seconds since 1970; None where it does not say. Asked at each rendering."""
Render = Callable[[], bytes]
"""The text of the present figures."""


def check() -> None:
    """Raises MetricsError where the library is not installed, without loading it. Any thread."""
    importlib.invalidate_caches()  # it may have been installed since
    if importlib.util.find_spec(_NAME) is None:
        raise MetricsError(
            f"metrics.listen is set, but the Python library {_NAME} is missing; install it: {_installing()}"
        )


def _installing() -> str:
    """What a shell takes: a virtual environment does not see the distribution's packages."""
    if sys.prefix != sys.base_prefix:
        return f"{shlex.quote(sys.executable)} -m pip install '{_NAME} {VERSIONS}'"
    return "apt-get install python3-prometheus-client"


def load(status: Status, token_expires: Expiry) -> Render:
    """What writes the figures in `status`, and that date. Raises MetricsError. Takes a while; any thread."""
    check()
    try:
        from ingestd.metrics.families import renderer

        return renderer(status, token_expires)
    except Exception as error:  # noqa: BLE001 - whatever another version of it does must not end the call
        told = f"{type(error).__name__}: {error}"
        raise MetricsError(f"the Python library {_NAME} can't be used ({told}); see its version") from None
