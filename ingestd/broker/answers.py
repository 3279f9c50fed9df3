"""What a device is told of an answer of the service that is no session. Pure; any thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ingestd.broker.errors import Refused, ServiceError

_AGAIN_LEAST_S: Final = 2.0
_AGAIN_MOST_S: Final = 12.0
_OPERATORS_S: Final = 30.0
"""For what only the broker's operator can mend."""

TOKEN_REFUSED: Final = (401, 403)
"""The service's word on the broker's token: never a device's fault, and never shown to it as one."""


class PassedOn(Refused):
    """An answer of the service's, handed on to the device."""

    def __init__(self, error: ServiceError, status: int, message: str, code: str | None, after_s: float | None) -> None:
        super().__init__(status, message, code=code, retry_after_s=after_s)
        self.request_id = error.request_id
        """What the service calls the request by, for its support; None where it told none."""


def spread_s(random: Callable[[], float]) -> float:
    """When to ask again, where nobody says when: not all at once. `random` gives uniform numbers in [0, 1)."""
    return _AGAIN_LEAST_S + (_AGAIN_MOST_S - _AGAIN_LEAST_S) * random()


def not_let_in(random: Callable[[], float]) -> Refused:
    """Where the broker has no token that the service takes."""
    return Refused(
        503,
        "The service does not let the broker in; nothing is wrong with this device or its key: "
        "the broker's operator finds the reason in the broker's journal",
        code="broker-not-let-in",
        retry_after_s=_OPERATORS_S + spread_s(random),
    )


def passed_on(error: ServiceError, random: Callable[[], float]) -> PassedOn:
    """What the device is answered with.

    the service          the device
    429                  429, with the service's Retry-After or one of ours
    401, 403             503: it is the broker's token that was refused
    other 4xx            the same, in the service's words
    503                  503, with its Retry-After or one of ours
    other 5xx            502
    none in time         504
    none, anything else  502
    """
    said = error.message[:1].upper() + error.message[1:]
    match error.status:
        case 429:
            after_s = spread_s(random) if error.retry_after_s is None else error.retry_after_s
            return PassedOn(error, 429, said, error.code or "service-busy", after_s)
        case 401 | 403:
            why = not_let_in(random)
            return PassedOn(error, why.status, why.message, why.code, why.retry_after_s)
        case status if 400 <= status < 500:
            return PassedOn(error, status, said, error.code or "service-refused", None)
        case 503:
            after_s = spread_s(random) if error.retry_after_s is None else error.retry_after_s
            return PassedOn(error, 503, said, error.code or "service-unavailable", after_s)
        case 0:
            status, code = (504, "service-late") if error.late else (502, "service-unreachable")
            return PassedOn(error, status, said, code, None)
        case _:
            return PassedOn(error, 502, said, error.code or "service-failed", None)
