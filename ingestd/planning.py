"""From the configuration to what the supervisor goes by: how sessions are asked for, and the advice's proper names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ingestd.config import Config
from ingestd.core.ingest_session import IngestSession, request_body
from ingestd.core.remedies import Where
from ingestd.core.times import Times
from ingestd.net.backend import Backend
from ingestd.net.cancel import Cancel
from ingestd.net.dialer import Dialer
from ingestd.net.opener import ChannelOpener
from ingestd.net.tls_files import TlsFiles
from ingestd.threads.attempt import Attempt
from ingestd.threads.callplan import CallPlan
from ingestd.threads.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class _Given:
    """A session that somebody else created (`net.ports.SessionMaker`)."""

    session: IngestSession

    def create(self, _body: dict[str, Any], _cancel: Cancel) -> IngestSession:
        return self.session


def tls_files(config: Config) -> TlsFiles:
    """The TLS files that `config` names; looks at none of them."""
    cert = config.backend.client_cert
    return TlsFiles(config.backend.ca_file, (cert.cert_file, cert.key_file) if cert else None)


def checked_call_plan(
    config: Config, topics: Callable[[], Iterable[str]], mailbox: Mailbox, times: Times
) -> CallPlan:
    """`call_plan` for a configuration that is to replace a good one. Raises BackendError where TLS files are not."""
    tls_files(config).context()
    return call_plan(config, topics, mailbox, times)


def call_plan(config: Config, topics: Callable[[], Iterable[str]], mailbox: Mailbox, times: Times) -> CallPlan:
    """Opens no file: what an attempt needs, it loads itself, so that a fault in it is that attempt's."""
    backend, session = config.backend, config.session
    tls = tls_files(config).context
    proxy_url = backend.proxy.reveal() if backend.proxy else None
    own = Backend(backend.url, Path(backend.token_file), backend.auth_scheme, tls, proxy_url, times)
    opener = ChannelOpener(Dialer(tls, proxy_url, times), topics, times)
    who, agent = session.participant, session.agent
    body = request_body(
        room_id=session.room_id,
        participant={"id": who.id, "name": who.name, "metadata": who.metadata or None},
        agent={**agent.others, "id": agent.id, "metadata": agent.metadata or None} if agent else None,
        region=session.region,
    )

    def new_attempt(epoch: int, given: IngestSession | None) -> Attempt:
        return Attempt(mailbox, epoch, own if given is None else _Given(given), opener, body, Cancel)

    return CallPlan(new_attempt, demand=session.start == "demand", break_first=agent is not None)


def where(config: Config, path: Path) -> Where:
    """What advice calls by name; `path` is the configuration's."""
    return Where(
        token_file=str(config.backend.token_file),
        backend_host=urlsplit(config.backend.url).hostname or config.backend.url,
        room_id=config.session.room_id,
        config=str(path),
    )
