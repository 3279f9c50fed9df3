"""System calls of the daemon, by thread and name, as strace sees them; and what each is for.

What the vDSO answers (most questions for the time) is no system call, and not among them.
"""

from __future__ import annotations

import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_BEGUN: Final = re.compile(r"^(\d+) +([\d.]+) (\w+)\(")
_ATTACHED_S: Final = 1.0

EVERY_THREAD: Final = {
    "futex": "the interpreter's lock: taken from another thread, or given to one that waits",
    "restart_syscall": "the wait that was on when strace came, taken up again",
    "mmap": "memory: an arena of the interpreter's",
    "munmap": "memory: the same given back",
    "brk": "memory of the C library's",
}
PURPOSES: Final = {
    ("capture", "clock_nanosleep"): "the microphone in memory: the next frame is due (ALSA's own wait on a device)",
    ("sender", "clock_nanosleep"): "the next frame's time, on the absolute grid",
    ("sender", "ioctl"): "SIOCOUTQ: what is on the way unacknowledged, for the gate",
    ("sender", "getrandom"): "keys that mask what is sent (RFC 6455 §5.3)",
    ("sender", "sendto"): "the frame goes out, plain",
    ("sender", "write"): "the frame goes out, over TLS",
    ("receiver", "poll"): "a frame from the room, or the moment at which the speaker wants more",
    ("receiver", "recvfrom"): "the frame comes in, plain",
    ("receiver", "read"): "the frame comes in, over TLS: OpenSSL reads a record's head, then its body",
    ("control", "epoll_wait"): "requests of local programs, and news for them; else a look around every 2 s",
    ("control", "clock_gettime"): "its own processor time, of which it may take a share (CLOCK_THREAD_CPUTIME_ID)",
    ("main", "poll"): "mail of the other threads, the network's events, the next thing that is due",
    ("main", "read"): "the mailbox's bell (eventfd)",
    ("main", "recvfrom"): "the network's events (rtnetlink)",
    ("main", "socket"): "the kernel is to be asked for the way to the service, after the network's events (rtnetlink)",
    ("main", "close"): "the same, once it has answered",
    ("main", "newfstatat"): "whether the token's file is another one",
    ("main", "sendto"): "the watchdog's word to systemd, log lines to the journal, the question for the way",
}
"""By thread and call. What is in no row is an error of the bench, so that this stays true."""


def purpose(thread: str, call: str) -> str | None:
    """What it is for; None where nobody wrote that down."""
    return EVERY_THREAD.get(call) or PURPOSES.get((thread, call))


def count(pid: int, threads: Mapping[int, str], seconds: float) -> dict[tuple[str, str], float]:
    """Calls per second by thread and name; threads that `threads` does not name are called `others`."""
    with tempfile.NamedTemporaryFile(prefix="strace-") as out:
        command = ["strace", "-f", "-q", "-ttt", "-s", "0", "-o", out.name, "-p", str(pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.PIPE)
        try:
            time.sleep(_ATTACHED_S)
            began_s = time.time()  # strace stamps by this clock
            time.sleep(seconds)
            ended_s = time.time()
        finally:
            tracer.send_signal(signal.SIGINT)
            _, said = tracer.communicate(timeout=10)
        text = Path(out.name).read_text(errors="replace")
    found: Counter[tuple[str, str]] = Counter()
    for line in text.splitlines():
        match = _BEGUN.match(line)  # `<… resumed>` is the other half of one that was counted
        if match and began_s <= float(match[2]) < ended_s:
            found[threads.get(int(match[1]), "others"), match[3]] += 1
    if not found:
        raise RuntimeError(f"strace saw nothing: {said.decode().strip()}")
    return {key: number / (ended_s - began_s) for key, number in found.items()}
