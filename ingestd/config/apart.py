"""Reads a configuration in a process of its own, whose memory is given back with it: the call needs the values only.

What reads and checks takes 3 MiB here, beside the 17 of a whole call, and is needed again only at a reload.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from ingestd.config.secret import Secret
from ingestd.errors import ConfigError

if TYPE_CHECKING:
    from ingestd.config.load import Valid
    from ingestd.config.schema import Config
    from ingestd.config.tree import Mapping


class Apart(NamedTuple):
    """A configuration without a fault, and without the modules that read it (`load.Valid` has them)."""

    config: Config
    """Has the names and values of the real one, in namespaces."""
    text: bytes
    """The tree that it was read from, as `writer.write_yaml` has it."""

    @property
    def tree(self) -> Mapping:
        """That tree, without the places."""
        from ingestd.config.faults import Faults, Place
        from ingestd.config.reader import parse_yaml

        return cast("Mapping", parse_yaml(self.text, Place(0, ""), Faults()))  # it was written from a good one


def read_file(path: Path) -> Apart:
    """What `load.read_config` finds at `path`; raises ConfigError as it does."""

    def read() -> Valid:
        from ingestd.config.load import read_config

        return read_config(path)

    return cast(Apart, read_apart(read))


def read_apart(read: Callable[[], Valid | None]) -> Apart | None:
    """What `read` returns, called in a child of this process, which has one thread as yet; raises ConfigError as it."""
    ours, its = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _answer(read, its)
    os.close(its)
    with open(ours, "rb") as pipe:
        answer = pipe.read()
    with contextlib.suppress(ChildProcessError):  # SIGCHLD is ignored, by whoever started this process
        os.waitpid(child, 0)
    try:
        faults, config, text = marshal.loads(answer)  # noqa: S302 (our own child's)
    except EOFError:  # there is none, or a part: by its end alone, as its status may be lost
        told = "the configuration could not be read; the lines before say why, or the kernel's where it was killed"
        raise ChildProcessError(told) from None
    if faults:
        raise ConfigError(faults)
    return None if text is None else Apart(cast("Config", _unpacked(config)), text)


def _answer(read: Callable[[], Valid | None], pipe: int) -> None:
    """In the child: never returns."""
    try:
        from ingestd.config.writer import write_yaml

        try:
            valid = read()
            answer: Any = ((), None, None) if valid is None else ((), packed(valid.config), write_yaml(valid.tree))
        except ConfigError as error:
            answer = (error.faults, None, None)
        with open(pipe, "wb") as out:
            out.write(marshal.dumps(answer))
    except BaseException:  # noqa: BLE001 (whatever it is, the parent goes on alone)
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(0)  # nothing of the parent's is flushed or closed twice


def packed(value: Any) -> Any:
    """A value of a configuration as marshal takes it, alike for the real one and for the namespaces."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return "path", str(value)
        case Secret():
            return "secret", value.reveal()
        case tuple() if not hasattr(value, "_fields"):
            return "tuple", tuple(map(packed, value))
        case list():
            return "list", tuple(map(packed, value))
        case dict():
            return "dict", {key: packed(one) for key, one in value.items()}
        case _:
            names = getattr(value, "_fields", ()) or getattr(value, "__slots__", ()) or vars(value)
            return "group", {name: packed(getattr(value, name)) for name in names}


def _unpacked(value: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    kind, content = value
    match kind:
        case "path":
            return Path(content)
        case "secret":
            return Secret(content)
        case "tuple":
            return tuple(map(_unpacked, content))
        case "list":
            return list(map(_unpacked, content))
        case "dict":
            return {key: _unpacked(one) for key, one in content.items()}
        case _:
            return SimpleNamespace(**{key: _unpacked(one) for key, one in content.items()})
