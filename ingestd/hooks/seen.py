"""What has been run before: ids of messages, and nonces of signed ones. Pure.

Kept as short digests, as a stranger chose the texts. All of it is bounded, and outlives the process as JSON. Where an
id is forgotten, the time of its message is kept: what is as old and not known may have run, and is refused. So nothing
runs twice, however much comes again, and in whatever order.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any, Final

from ingestd.hooks.refused import Refused
from ingestd.hooks.signature import MAX_SKEW_S, Signed

IDS_PER_TOPIC: Final = 512
"""Each topic has its own, so that a flood of one can't make another's be forgotten."""
MAX_TOPICS: Final = 64
"""Of topics too the one heard longest ago is forgotten first."""
MAX_NONCES: Final = 1024
"""Signed messages taken within twice MAX_SKEW_S; no nonce is forgotten before its message is too old by itself."""

_DIGEST_BYTES: Final = 12
_DIGEST: Final = re.compile(rf"[0-9a-f]{{{2 * _DIGEST_BYTES}}}")


_NEVER_S: Final = -math.inf
_END_S: Final = 1e15
_UNKNOWN_S: Final = 0.0
"""For a message without a time: older than all others, so it is the first to be forgotten."""


@dataclass(slots=True)
class _Topic:
    forgotten_s: float
    """When the newest message was sent whose id is forgotten, seconds since 1970."""
    sent_s: dict[str, float] = field(default_factory=dict)
    """By id."""

    def note(self, message_id: str, sent_s: float) -> None:
        self.sent_s[message_id] = sent_s
        if len(self.sent_s) > IDS_PER_TOPIC:
            oldest = min(self.sent_s, key=self.sent_s.__getitem__)
            self.forgotten_s = max(self.forgotten_s, self.sent_s.pop(oldest))

    def newest_s(self) -> float:
        return max(self.forgotten_s, *self.sent_s.values(), _NEVER_S)


class Seen:
    """One thread. Nothing is noted by asking. Times are seconds since 1970, a message's by the server's clock."""

    def __init__(self, lost_s: float = _NEVER_S) -> None:
        """`lost_s`: when what was known before was lost, if it was."""
        self._topics: dict[str, _Topic] = {}
        self._forgotten_s = _NEVER_S  # as of a topic, for those that are forgotten as a whole
        self._lost_s = lost_s
        self._nonces: dict[str, float] = {}  # until when

    def has_id(self, topic: str, message_id: str | None) -> bool:
        """True where that message was noted; one without an id never was."""
        known = self._topics.get(_digest(topic))
        return known is not None and bool(message_id) and _digest(message_id or "") in known.sent_s

    def check_time(self, topic: str, sent_s: float | None) -> None:
        """Raises Refused where a message whose id is not known may have been noted, and forgotten since."""
        known = self._topics.get(_digest(topic))
        if _time(sent_s) <= (known.forgotten_s if known is not None else self._forgotten_s):
            why = f"it is older than some of the {IDS_PER_TOPIC} last ones, which is all that is remembered"
            raise Refused("forgotten", f"{why}, and may have run before; if it did not, send it again")

    def check_loss(self, sent_s: float | None) -> None:
        """Raises Refused where a message may have been noted in what was lost. For those that no age refuses."""
        if _time(sent_s) <= self._lost_s:
            why = "it was sent before what had run was forgotten (an earlier line of this log says why)"
            raise Refused("lost", f"{why}, and may have run before; if it did not, send it again")

    def note_id(self, topic: str, message_id: str | None, sent_s: float | None) -> None:
        """It is to run now."""
        if not message_id:
            return
        name = _digest(topic)
        known = self._topics.pop(name, None) or _Topic(self._forgotten_s)
        self._topics[name] = known  # the topic heard last stands last
        known.note(_digest(message_id), _time(sent_s))
        if len(self._topics) > MAX_TOPICS:
            forgotten = self._topics.pop(next(iter(self._topics)))
            self._forgotten_s = max(self._forgotten_s, forgotten.newest_s())

    def check_nonce(self, topic: str, secret_file: str, signed: Signed, wall_s: float) -> None:
        """Raises Refused where it was noted, or where there are too many to keep another. `wall_s`: since 1970."""
        self._nonces = {key: until_s for key, until_s in self._nonces.items() if until_s >= wall_s}
        if _nonce_key(topic, secret_file, signed) in self._nonces:
            raise Refused("nonce", "its nonce was used before; a nonce serves for one message")
        if len(self._nonces) >= MAX_NONCES:
            raise Refused("nonces", f"there were {MAX_NONCES} signed messages within ten minutes; send less often")

    def note_nonce(self, topic: str, secret_file: str, signed: Signed) -> None:
        """A message so signed was taken."""
        # By then its time alone refuses it.
        self._nonces[_nonce_key(topic, secret_file, signed)] = float(signed.ts_s + MAX_SKEW_S)

    def dump(self) -> bytes:
        """All of it, for a file."""
        topics = {
            name: {"forgotten": _or_null(topic.forgotten_s), "sent": topic.sent_s}
            for name, topic in self._topics.items()
        }
        times = {"forgotten": _or_null(self._forgotten_s), "lost": _or_null(self._lost_s)}
        value = {**times, "topics": topics, "nonces": self._nonces}
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"

    @classmethod
    def load(cls, content: bytes) -> Seen:
        """What `dump` gave. Raises ValueError for anything else."""
        value = _object(json.loads(content.decode("ascii")))
        seen = cls(_or_never(value.get("lost")))
        seen._forgotten_s = _or_never(value.get("forgotten"))
        seen._nonces = _times(value.get("nonces"))
        for name, topic in _object(value.get("topics")).items():
            sent_s = _times(_object(topic).get("sent"))
            if len(sent_s) > IDS_PER_TOPIC:
                raise ValueError("more ids than are ever kept")
            seen._topics[_checked(name)] = _Topic(_or_never(topic.get("forgotten")), sent_s)
        return seen


def _time(sent_s: float | None) -> float:
    return _UNKNOWN_S if sent_s is None else sent_s


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=_DIGEST_BYTES).hexdigest()


def _nonce_key(topic: str, secret_file: str, signed: Signed) -> str:
    return _digest("\n".join((topic, signed.nonce, secret_file)))


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _times(value: Any) -> dict[str, float]:
    return {_checked(name): _number(one) for name, one in _object(value).items()}


def _number(value: Any) -> float:
    # A whole number may be too large for a float, which JSON's own are not.
    if isinstance(value, bool) or not isinstance(value, int | float) or not -_END_S < value < _END_S:
        raise ValueError("not a time")
    return float(value)


def _or_null(time_s: float) -> float | None:
    return None if time_s == _NEVER_S else time_s


def _or_never(value: Any) -> float:
    return _NEVER_S if value is None else _number(value)


def _checked(text: object) -> str:
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise ValueError("not a digest")
    return text
