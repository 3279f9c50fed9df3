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
        self.written = 0
        """Samples written since the ring was made. The writer's; any thread reads it."""

    @property
    def capacity_samples(self) -> int:
        """Any thread."""
        return self._capacity

    def write(self, pcm: bytes) -> int:
        """Appends whole samples, at most half the capacity; returns the new `written`. Writer thread. Lock-free."""
        size = len(pcm)
        samples = size // _BYTES_PER_SAMPLE
        capacity = self._capacity
        if 2 * samples > capacity:
            raise ValueError(f"{samples} samples at once into a ring of {capacity}")
        written = self.written
        end = written + samples
        # Claimed before the first byte changes: a reader that copied meanwhile sees that its samples were at risk.
        self._claimed = end
        start = (written % capacity) * _BYTES_PER_SAMPLE
        room = len(self._data) - start
        if size <= room:
            self._data[start : start + size] = pcm
        else:
            self._data[start:] = pcm[:room]
            self._data[: size - room] = pcm[room:]
        self.written = end
        return end

    def read(self, index: int, samples: int) -> bytes | None:
        """Samples [index, index + samples), or None where they are not there yet or no longer. Reader thread."""
        if index + samples > self.written:
            return None
        capacity = self._capacity
        start = (index % capacity) * _BYTES_PER_SAMPLE
        end = start + samples * _BYTES_PER_SAMPLE
        out = bytes(self._view[start:end])
        if end > len(self._data):
            out += bytes(self._view[: end - len(self._data)])
        return out if index + capacity >= self._claimed else None
