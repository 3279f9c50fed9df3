"""Whether this process has loaded `ssl`: 1.3 MiB, and 3 more of OpenSSL, that a call over plain TCP does without.

Who makes TLS loads it; who is given a socket or an error asks here first. Where it is not loaded, none is TLS's.
"""

from __future__ import annotations

import sys


def tls_loaded() -> bool:
    """After that `import ssl` costs nothing, and waits for a thread that has just begun to load it. Any thread."""
    return "ssl" in sys.modules
