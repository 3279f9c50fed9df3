"""What a server's certificate says: whose it is, who signed it, how long it holds."""

from __future__ import annotations

import ssl
from typing import Any, Final

from ingestd.core.check import Check, ok, warning
from ingestd.doctor.jwt import spoken
from ingestd.net.stream import printable

_SOON_S: Final = 14 * 86400.0
_MAX_NAME_CHARS: Final = 60


def judged_certificate(name: str, host: str, sock: ssl.SSLSocket, now: float) -> Check:
    """The certificate of a connection that was verified; `now` in seconds since 1970."""
    shown: dict[str, Any] = dict(sock.getpeercert() or {})
    until = ssl.cert_time_to_seconds(str(shown["notAfter"])) if "notAfter" in shown else None
    said = f"{sock.version()}, verified for {host}, signed by {issuer(shown)}"
    if until is None:
        return ok(name, said)
    left_s = until - now
    said = f"{said}, valid from {shown.get('notBefore')} to {shown['notAfter']}"
    if left_s < _SOON_S:
        return warning(name, f"{said}: that is in {spoken(left_s)}", f"whoever runs {host} has to renew it by then")
    return ok(name, said)


def issuer(certificate: dict[str, Any]) -> str:
    """Who signed it, in a few words that a stranger may have chosen."""
    parts = {key: value for group in certificate.get("issuer", ()) for key, value in group}
    names = [parts[key] for key in ("organizationName", "commonName") if key in parts]
    return printable(" / ".join(names))[:_MAX_NAME_CHARS] or "somebody without a name"
