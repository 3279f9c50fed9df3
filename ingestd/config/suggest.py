"""Finds the key somebody meant."""

from __future__ import annotations

from collections.abc import Iterable

from ingestd.config.faults import KeyPath, dotted

_ALIKE = 0.6
_BONUS_HERE = 0.15
"""A key of the same section wins over a slightly nearer one elsewhere."""


def schema_path(path: KeyPath) -> str:
    """The path as the schema names it: `hooks[].exec` for `hooks[2].exec`."""
    out = ""
    for part in path:
        if isinstance(part, int):
            out += "[]"
        else:
            out += f".{part}" if out else part
    return out


def advice(section: KeyPath, key: str, known: Iterable[str]) -> str:
    """What to do about an unknown `key` in `section`; `known` are the dotted paths of all keys there are."""
    known = list(known)
    near = nearest(section, key, known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    here = [path.rpartition(".")[2] for path in known if path.rpartition(".")[0] == schema_path(section)]
    name = dotted(section) or "the top level"
    return f"remove it; the keys of {name} are {', '.join(here)}"


def nearest(section: KeyPath, key: str, known: Iterable[str]) -> list[str]:
    """The known paths (at most two, equally near) whose last part is like `key`; empty where none is."""
    from difflib import SequenceMatcher  # only needed once something is wrong

    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(_normal(key))
    here = schema_path(section)
    scored: list[tuple[float, str]] = []
    for path in known:
        parent, _, last = path.rpartition(".")
        matcher.set_seq1(_normal(last))
        ratio = 1.0 if _shortened(key, last) else matcher.ratio()
        if ratio < _ALIKE:
            continue
        scored.append((ratio + (_BONUS_HERE if parent == here else 0.0), path))
    if not scored:
        return []
    best = max(score for score, _ in scored)
    return [path for score, path in scored if score == best][:2]


def _shortened(key: str, name: str) -> bool:
    """`level` for `level_percent`, `token` for `token_file`."""
    return len(key) > 3 and _normal(name).startswith(_normal(key))


def _normal(key: str) -> str:
    """`roomId`, `room-id` and `room_id` are the same to somebody who is guessing."""
    return key[:64].lower().replace("_", "").replace("-", "")
