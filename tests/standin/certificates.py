"""A certificate authority and a server certificate for tests."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Sequence
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1", "::1")
"""Names every server certificate holds."""


def server_context(directory: Path, more_names: Sequence[str], expired: bool) -> tuple[ssl.SSLContext, Path]:
    """A TLS context for the server, and the CA file (PEM) clients have to trust, written to `directory`."""
    ca = trustme.CA()
    ends = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1) if expired else None
    certificate = ca.issue_cert(*NAMES, *more_names, not_after=ends)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    certificate.configure_cert(context)
    ca_file = directory / "ca.pem"
    ca.cert_pem.write_to_path(str(ca_file))
    return context, ca_file
