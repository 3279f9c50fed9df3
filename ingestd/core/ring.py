"""A single-producer, single-consumer ring of samples without a lock.

The capture thread writes, the sender thread reads. Each index counts samples since the ring was made, never
wraps, and has one writer; CPython stores a reference atomically, so neither side ever waits for the other. A
full ring overwrites its oldest samples: the newest are always there, and the reader finds out from the indices
that it came too late.
"""

from __future__ import annotations

_BYTES_PER_SAMPLE = 2


class SampleRing:
    """Holds the last `capacity_samples` samples (16-bit, mono)."""

    def __init__(self, capacity_samples: int) -> None:
        self._capacity = capacity_samples
        self._data = bytearray(capacity_samples * _BYTES_PER_SAMPLE)
        self._view = memoryview(self._data)
        self._claimed = 0  # writer is about to fill up to here
        self._written = 0  # writer has filled up to here

    @property
    def capacity_samples(self) -> int:
        """Any thread."""
        return self._capacity

    @property
    def written(self) -> int:
        """Samples written since the ring was made. Any thread."""
        return self._written

    def write(self, pcm: bytes) -> int:
        """Appends whole samples, at most half the capacity; returns the new `written`. Writer thread. Lock-free."""
        samples = len(pcm) // _BYTES_PER_SAMPLE
        if 2 * samples > self._capacity:
            raise ValueError(f"{samples} samples at once into a ring of {self._capacity}")
        end = self._written + samples
        # Claimed before the first byte changes: a reader that copied meanwhile sees that its samples were at risk.
        self._claimed = end
        start = (self._written % self._capacity) * _BYTES_PER_SAMPLE
        room = len(self._data) - start
        if len(pcm) <= room:
            self._data[start : start + len(pcm)] = pcm
        else:
            self._data[start:] = pcm[:room]
            self._data[: len(pcm) - room] = pcm[room:]
        self._written = end
        return end

    def read(self, index: int, samples: int) -> bytes | None:
        """Samples [index, index + samples), or None where they are not there yet or no longer. Reader thread."""
        if index + samples > self._written:
            return None
        start = (index % self._capacity) * _BYTES_PER_SAMPLE
        size = samples * _BYTES_PER_SAMPLE
        room = len(self._data) - start
        out = bytes(self._view[start : start + size])
        if size > room:
            out += bytes(self._view[: size - room])
        return out if index + self._capacity >= self._claimed else None
