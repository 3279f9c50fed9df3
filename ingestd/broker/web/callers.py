"""Which device a request comes from: by its key, or by a certificate that a trusted proxy has verified."""

from __future__ import annotations

import logging
import time
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from ingestd.broker import settings
from ingestd.broker.device_keys import read_key
from ingestd.broker.devices import Device, Registry
from ingestd.broker.errors import Refused
from ingestd.broker.sparing_log import SparingLog

_log = logging.getLogger(__name__)

_MESSAGE: Final = "The key or certificate is not that of a device that may have sessions"
"""The same for whatever reason, so that nobody learns which devices there are."""


class Callers:
    """Tells devices apart. Any thread."""

    def __init__(self, registry: Registry, proxy: settings.Proxy) -> None:
        """`proxy`: who may tell a certificate's name, and in which header."""
        self._registry = registry
        self._trusted = proxy.trusted
        header = proxy.certificate_header
        self._certificate = None if header is None else "HTTP_" + header.upper().replace("-", "_")
        self._refused = SparingLog(_log, time.monotonic)
        self._not_believed = SparingLog(_log, time.monotonic)

    def device(self, environ: dict[str, Any]) -> Device:
        """The device that sent the request of this WSGI environment; a key counts before a certificate.

        Raises Refused (401), the same for whatever reason, and SQLAlchemyError.
        """
        peer = str(environ.get("REMOTE_ADDR", ""))
        authorization = str(environ.get("HTTP_AUTHORIZATION", "")).strip()
        certificate = self._certificate_name(environ, peer)
        if authorization or certificate is None:
            key = _key_in(authorization)
            device = self._registry.by_key(key)
        else:
            key = ""
            device = self._registry.by_certificate(certificate)
        if device is None:
            presented = read_key(key)
            what = f"key igd_{presented.key_id}_…" if presented else "what it presents"
            self._refused.tell(
                logging.WARNING,
                f"refused a request for a session from {peer or 'a local socket'}: "
                f"{what} is unknown or wrong, or its device is disabled",
            )
            raise Refused(401, _MESSAGE, code="unknown-device")
        return device

    def _certificate_name(self, environ: dict[str, Any], peer: str) -> str | None:
        name = None if self._certificate is None else environ.get(self._certificate)
        if not name:
            return None
        # Two headers of one name come joined by a comma: one may be the proxy's, the other a stranger's.
        if "," in name or not self._trusts(peer):
            why = "came doubled" if "," in name else "is believed of proxy.trusted alone"
            self._not_believed.tell(
                logging.WARNING,
                f"ignored a certificate's name from {peer or 'a local socket'}: the header {why}",
            )
            return None
        return _text(name).strip()

    def _trusts(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self._trusted)


def _key_in(authorization: str) -> str:
    scheme, blank, rest = authorization.partition(" ")
    return rest.strip() if blank and scheme.lower() == "bearer" else authorization


def _text(header: str) -> str:
    """A header as its sender meant it: WSGI takes each byte for a character."""
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header
