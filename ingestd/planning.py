"""From the configuration to what the supervisor goes by: how sessions are asked for, and the advice's proper names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

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

if TYPE_CHECKING:
    from ingestd.config.schema import Config


class _Given(NamedTuple):
    """A session that somebody else created (`net.ports.SessionMaker`)."""

    session: IngestSession

    def create(self, _body: dict[str, Any], _cancel: Cancel) -> IngestSession:
        return self.session


def tls_files(config: Config) -> TlsFiles:
    """The TLS files that `config` names; looks at none of them."""
    cert = config.backend.client_cert
    return TlsFiles(config.backend.ca_file, (cert.cert_file, cert.key_file) if cert else None)


def certificate_files(config: Config) -> list[Path]:
    """The same, one by one."""
    cert = config.backend.client_cert
    named = (config.backend.ca_file, *((cert.cert_file, cert.key_file) if cert else ()))
    return [path for path in named if path is not None]


def backend_of(config: Config, tls: TlsFiles, times: Times, token_file: Path | None = None) -> Backend:
    """Where `config` has sessions created, and how; `tls` is `tls_files(config)`. Opens no file.

    `token_file` is for one in place of its own.
    """
    backend = config.backend
    token_file = token_file or Path(backend.token_file)
    return Backend(backend.url, token_file, backend.auth_scheme, tls.context, proxy_url(config), times)


def opener_of(config: Config, tls: TlsFiles, topics: Callable[[], Iterable[str]], times: Times) -> ChannelOpener:
    """What turns such a session into a connection; `tls` is `tls_files(config)`. Opens no file."""
    return ChannelOpener(Dialer(tls.context, proxy_url(config), times), topics, times)


def body_of(config: Config) -> dict[str, Any]:
    """What such a session is asked for with."""
    session = config.session
    who, agent = session.participant, session.agent
    return request_body(
        room_id=session.room_id,
        participant={"id": who.id, "name": who.name, "metadata": who.metadata or None},
        agent={**agent.others, "id": agent.id, "metadata": agent.metadata or None} if agent else None,
        region=session.region,
    )


def proxy_url(config: Config) -> str | None:
    """The configured proxy; a secret, as it may hold a password."""
    return config.backend.proxy.reveal() if config.backend.proxy else None


def checked_call_plan(
    config: Config, topics: Callable[[], Iterable[str]], mailbox: Mailbox, times: Times
) -> CallPlan:
    """`call_plan` for a configuration that is to replace a good one. Raises BackendError where TLS files are not."""
    tls_files(config).check()
    return call_plan(config, topics, mailbox, times)


def call_plan(config: Config, topics: Callable[[], Iterable[str]], mailbox: Mailbox, times: Times) -> CallPlan:
    """Opens no file: what an attempt needs, it loads itself, so that a fault in it is that attempt's."""
    tls = tls_files(config)
    own, opener, body = backend_of(config, tls, times), opener_of(config, tls, topics, times), body_of(config)

    def new_attempt(epoch: int, given: IngestSession | None) -> Attempt:
        return Attempt(mailbox, epoch, own if given is None else _Given(given), opener, body, Cancel)

    return CallPlan(new_attempt, demand=config.session.start == "demand", break_first=config.session.agent is not None)


def where(config: Config, path: Path) -> Where:
    """What advice calls by name; `path` is the configuration's."""
    parts = urlsplit(config.backend.url)
    return Where(
        token_file=str(config.backend.token_file),
        backend_host=parts.hostname or parts.netloc,
        backend_origin=f"{parts.scheme}://{parts.netloc}",
        room_id=config.session.room_id,
        config=str(path),
    )
