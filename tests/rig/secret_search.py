"""Looks for secrets where a device could have them: its processes' memory, its files, and what it sent.

A process is searched by /proc/PID/mem, so its user or root has to ask; it stands still meanwhile.
"""

from __future__ import annotations

import base64
import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.rig.process import wait_until

_PIECE_BYTES = 4 << 20
_SHORTEST = 16
_NOT_MEMORY = ("[vvar]", "[vvar_vclock]", "[vsyscall]")
"""The kernel's own, mapped into every process; /proc/PID/mem does not give them out."""


@dataclass
class Found:
    """What a search looked at, and where it found something."""

    places: list[str] = field(default_factory=list)
    """One for each kind of disguise in each region, file or stream; without the secret."""
    regions: int = 0
    """Pieces of memory that were read,"""
    memory_bytes: int = 0
    """how much that was,"""
    unread: list[str] = field(default_factory=list)
    """and those readable ones of which some could not be read after all."""
    files: int = 0
    """Files that were read."""

    def also(self, other: Found) -> None:
        """Adds another search's."""
        self.places += other.places
        self.regions += other.regions
        self.memory_bytes += other.memory_bytes
        self.unread += other.unread
        self.files += other.files


class SecretSearch:
    """Knows the secrets, each as bytes, in base64 wherever it may begin there, in UTF-16 and UTF-32."""

    def __init__(self, secrets: Iterable[str]) -> None:
        """Of a token in three parts each part is a secret: one that was overwritten in part is found too."""
        parts = {part for secret in secrets for part in secret.split(".")}
        assert min(map(len, parts)) >= _SHORTEST, "so short a text would be found anywhere"
        self._needles = [(how, needle) for part in sorted(parts) for how, needle in _disguises(part)]
        self._longest = max(len(needle) for _, needle in self._needles)

    def process(self, pid: int) -> Found:
        """All that a process and those it has started hold.

        Readable memory, command line, environment, and the files that it has open.
        """
        found = Found()
        for one in (pid, *_descendants(pid)):
            with _standing_still(one):
                root = Path(f"/proc/{one}")
                for name in ("cmdline", "environ"):
                    found.places += self.within((root / name).read_bytes(), f"{name} of {one}")
                found.also(self._memory(root))
                found.also(self.files(link.resolve() for link in (root / "fd").iterdir() if link.is_file()))
        return found

    def files(self, paths: Iterable[Path]) -> Found:
        """Those files, and of directories all that is in them, names included."""
        found = Found()
        for path in paths:
            path.stat()  # what is not there would be searched in vain
            for file in [path, *sorted(path.rglob("*"))]:
                found.places += self.within(os.fsencode(file), f"the name of {file}")
                if file.is_file() and not file.is_symlink():
                    found.files += 1
                    found.places += self.within(file.read_bytes(), str(file))
        return found

    def within(self, data: bytes, where: str) -> list[str]:
        """`where`, once for each disguise in which a secret is in `data`."""
        return [f"{where}: {how}" for how, needle in self._needles if needle in data]

    def _memory(self, root: Path) -> Found:
        found = Found()
        with (root / "mem").open("rb", buffering=0) as memory:
            for line in (root / "maps").read_text().splitlines():
                span, rights, *rest = line.split(maxsplit=5)
                name = rest[3] if len(rest) > 3 else "anonymous"
                if "r" not in rights or name in _NOT_MEMORY:
                    continue
                start, end = (int(number, 16) for number in span.split("-"))
                where = f"memory of {root.name}, {name} at {span}"
                found.regions += 1
                for piece in self._pieces(memory.fileno(), start, end):
                    if piece is None:
                        found.unread.append(where)
                        break
                    found.memory_bytes += len(piece)
                    found.places += self.within(piece.strip(b"\0"), where)  # much was never written to
        return found

    def _pieces(self, memory: int, start: int, end: int) -> Iterator[bytes | None]:
        """A region in pieces that overlap by what a needle may need; None where one can't be read."""
        while start < end:
            try:
                piece = os.pread(memory, min(_PIECE_BYTES, end - start), start)
            except OSError:
                yield None
                return
            yield piece
            if start + len(piece) >= end:
                return
            start += max(1, len(piece) - self._longest)


def _disguises(secret: str) -> Iterator[tuple[str, bytes]]:
    plain = secret.encode()
    yield "as it is", plain
    for name in ("utf-16-le", "utf-16-be", "utf-32-le"):
        yield f"in {name}", secret.encode(name)
    for before in range(3):
        # What stands before and after shares a character with it: only the characters that are all its own count.
        coded = base64.b64encode(b"\0" * before + plain)
        own = coded[-(-before * 8 // 6) : (before + len(plain)) * 8 // 6]
        yield "in base64", own
        if (url_safe := own.translate(bytes.maketrans(b"+/", b"-_"))) != own:
            yield "in URL-safe base64", url_safe


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_descendants(child)]
    return found


@contextlib.contextmanager
def _standing_still(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: "\nState:\tT" in Path(f"/proc/{pid}/status").read_text(), 10.0, f"process {pid} to stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
