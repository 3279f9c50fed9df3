"""The TLS handshake, and which of its faults are a person's job: only a certificate that was refused is."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from ingestd.errors import CertificateError, ChannelError
from ingestd.net import stream
from ingestd.net.deadline import left_s
from ingestd.net.tls_loaded import tls_loaded

if TYPE_CHECKING:
    import ssl

_NOT_YET_VALID: Final = 9
_HAS_EXPIRED: Final = 10
_OTHER_NAME: Final = (62, 64)
"""X509_V_ERR_… of OpenSSL; 62: the host's name, 64: its address."""
_REFUSES_OURS: Final = {
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "TLSV1_ALERT_UNKNOWN_CA",
    "TLSV1_ALERT_ACCESS_DENIED",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
}
"""Alerts about our client certificate, as OpenSSL names them. With TLS 1.3 they come after the handshake."""


class _ClockError(CertificateError):
    """A certificate refused for the time of day, which its text tells."""

    @property
    def key(self) -> str:
        """See `IngestdError`: the time is another one every time."""
        return "certificate refused for its dates"


def secure(sock: socket.socket, tls: ssl.SSLContext, host: str, port: int, deadline_s: float) -> ssl.SSLSocket:
    """TLS over `sock`, with `host` verified; takes `sock` over and closes it where that fails.

    Raises CertificateError where a certificate is refused, on either side, TimeoutError after `deadline_s` and
    ChannelError for all else.
    """
    wrapped: socket.socket = sock
    try:
        sock.settimeout(left_s(deadline_s))  # over the whole handshake, as `do_handshake` has it
        wrapped = secured = tls.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        secured.do_handshake()
    except TimeoutError:
        wrapped.close()
        raise
    except (OSError, ValueError) as error:  # ValueError: a host name that TLS can't ask for
        wrapped.close()
        refused = certificate_fault(error, host)
        if refused is not None:
            raise refused from None
        raise ChannelError(f"TLS handshake with {host}:{port} failed: {stream.describe(error)}") from None
    return secured


def certificate_fault(error: BaseException, host: str) -> CertificateError | None:
    """What to tell where `error` means that a certificate was refused, by us or by the server; else None."""
    if not tls_loaded():
        return None
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return _refused_by_us(error, host)
    if isinstance(error, ssl.SSLError) and error.reason in _REFUSES_OURS:
        return CertificateError(
            f"{host} refused this device's certificate: {stream.describe(error)}; check backend.client_cert"
        )
    return None


def _refused_by_us(error: ssl.SSLCertVerificationError, host: str) -> CertificateError:
    from datetime import UTC, datetime

    said = f"{host}: {stream.describe(error)}"
    clock = f"this machine's clock stands at {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if error.verify_code == _NOT_YET_VALID:
        return _ClockError(f"{said}: {clock}, before the certificate's start; set the clock, or let NTP set it")
    if error.verify_code == _HAS_EXPIRED:
        return _ClockError(
            f"{said}: {clock}; if that is wrong, set the clock or let NTP set it,"
            " else the server needs a new certificate"
        )
    if error.verify_code in _OTHER_NAME:
        return CertificateError(
            f"{said}; check backend.url, and whether something on the way answers in the server's place"
            " (a server of your own needs a certificate for this name)"
        )
    return CertificateError(
        f"{said}; check whether something on the way answers in the server's place;"
        " a server whose certificate is signed by itself or by a CA of your own needs it in backend.ca_file"
    )
