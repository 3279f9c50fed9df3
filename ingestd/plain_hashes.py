"""Has hashlib take Python's own code instead of OpenSSL's, in a process that imports this first.

OpenSSL's costs 3.4 MiB and Python's own 0.3, and a call hashes a name or two a minute. It is what hashlib and hmac do
where Python was built without OpenSSL; `ssl` needs no hash of theirs, and may be imported later.
"""

from __future__ import annotations

import sys

if {"_sha1", "_blake2"} <= {*sys.builtin_module_names}:  # a Python without them, unlike Debian's, has OpenSSL's only
    sys.modules.setdefault("_hashlib", None)  # type: ignore[arg-type]  # None: its import fails
