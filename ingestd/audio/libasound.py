"""libasound by ctypes, for what pyalsaaudio can't do: keep it silent, look for a device in passing, describe devices.

pyalsaaudio opens devices with the interpreter's lock held, so that a search every second would stop the sender every
second, and each search in vain leaks 80 bytes. ctypes lets go of the lock.
"""

from __future__ import annotations

import ctypes
import errno
import os
from typing import Final, NamedTuple

from ingestd.core.wire import SAMPLE_RATE_HZ

_SND_PCM_NONBLOCK: Final = 1
_SND_PCM_FORMAT_S16_LE: Final = 2
_SND_PCM_ACCESS_RW_INTERLEAVED: Final = 3
_BUFFER_US: Final = 400_000
"""As is asked for in earnest."""
_Hints: Final = ctypes.POINTER(ctypes.c_void_p)


class Hint(NamedTuple):
    """A PCM that ALSA's configuration describes."""

    name: str
    description: str
    """One line."""
    capture: bool
    playback: bool


def _load() -> ctypes.CDLL | None:
    """The library, silenced: it writes to standard error at every try to open what is absent, 1.4 million lines a day.

    Its error handler has to be a function of C: one of Python would ask for the interpreter's lock, perhaps under a
    lock of libasound's that the thread which has the interpreter's waits for. snd_asoundlib_version does nothing.
    """
    try:
        library = ctypes.CDLL("libasound.so.2")
        library.snd_lib_error_set_handler(library.snd_asoundlib_version)
        library.snd_pcm_open.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_char_p, ctypes.c_int, ctypes.c_int]
        library.snd_pcm_set_params.argtypes = [
            ctypes.c_void_p,
            ctypes.c_int,  # snd_pcm_format_t
            ctypes.c_int,  # snd_pcm_access_t
            ctypes.c_uint,  # channels
            ctypes.c_uint,  # hertz
            ctypes.c_int,  # whether it may be resampled
            ctypes.c_uint,  # the buffer in µs
        ]
        library.snd_pcm_close.argtypes = [ctypes.c_void_p]
        library.snd_device_name_hint.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_Hints)]
        library.snd_device_name_get_hint.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        library.snd_device_name_get_hint.restype = ctypes.c_void_p  # not c_char_p: it is ours to free
        library.snd_device_name_free_hint.argtypes = [_Hints]
        library.free.argtypes = [ctypes.c_void_p]
    except (OSError, AttributeError):
        return None  # then pyalsaaudio does all that there is to do
    return library


_library: Final = _load()


def probe(device: str, direction: int, channels: int) -> int:
    """0 where the device can be opened and set up, as it is for a moment; else the errno that says why not.

    One that is there but unlike what is asked for (8 kHz, 16 bits, `channels`) is 0 too: whoever opens it sees to that.
    `direction` is an snd_pcm_stream_t (0 playback, 1 capture), which alsaaudio's constants are too. Any thread; others
    run on meanwhile.
    """
    if _library is None:
        return 0
    handle = ctypes.c_void_p()
    result = int(_library.snd_pcm_open(ctypes.byref(handle), os.fsencode(device), direction, _SND_PCM_NONBLOCK))
    if result < 0:
        return -result
    # A sound server opens what it has lost, too: that shows only once the stream is set up.
    how = _SND_PCM_FORMAT_S16_LE, _SND_PCM_ACCESS_RW_INTERLEAVED, channels, SAMPLE_RATE_HZ
    result = int(_library.snd_pcm_set_params(handle, *how, 1, _BUFFER_US))
    _library.snd_pcm_close(handle)
    return -result if result < 0 and result != -errno.EINVAL else 0


def hints() -> list[Hint]:
    """The PCMs that `arecord -L` and `aplay -L` list. Reads ALSA's configuration: not for threads that carry audio."""
    found = _Hints()
    if _library is None or _library.snd_device_name_hint(-1, b"pcm", ctypes.byref(found)) < 0:
        return []
    listed = []
    index = 0
    while hint := found[index]:
        index += 1
        name, description, direction = (_text(_library, hint, key) for key in (b"NAME", b"DESC", b"IOID"))
        if name:
            said = ", ".join(description.splitlines())
            listed.append(Hint(name, said, capture=direction != "Output", playback=direction != "Input"))
    _library.snd_device_name_free_hint(found)
    return listed


def _text(library: ctypes.CDLL, hint: int, key: bytes) -> str:
    """Empty where there is none."""
    address = library.snd_device_name_get_hint(hint, key)
    if not address:
        return ""
    text = ctypes.string_at(address).decode(errors="replace")
    library.free(address)
    return text
