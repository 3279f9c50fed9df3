"""The broker as a service: gunicorn in this process, set up from the settings. Only `worker` imports it too."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from ingestd.broker import logs
from ingestd.broker.errors import BrokerError
from ingestd.broker.settings import Listen, Settings, Tls
from ingestd.broker.worker import Worker
from ingestd.config.web import Address
from ingestd.errors import ConfigError

STOPS_WITHIN_S: Final = 8
"""Requests that are being answered have so long; then the processes are killed."""
_BACKLOG: Final = 2048
_MOST_CONNECTIONS: Final = 4096
"""Of a process, most of them idle."""
_FILES: Final = 8192
_FILES_BESIDE: Final = 512
"""For all but connections of clients: the database's, the service's."""
_FIGURES: Final = "PROMETHEUS_MULTIPROC_DIR"
_log = logging.getLogger(__name__)


def serve(settings: Settings, reread: Callable[[], Settings]) -> NoReturn:
    """Answers requests until SIGTERM, then ends the process. The main thread; no other may run.

    `reread` gives the configuration anew for SIGHUP, or raises ConfigError. Raises BrokerError where it can't listen.
    """
    logs.set_up(settings.log.level)
    tls = tls_context(settings.listen.tls)
    _prepare_figures(settings.listen.workers)
    files = _allow_many_files()
    listener = _listening(settings.listen.address)
    _log.info(
        "listening on %s%s, %d %s of %d threads",
        settings.listen.address,
        " with TLS" if settings.listen.tls else "",
        settings.listen.workers,
        "process" if settings.listen.workers == 1 else "processes",
        settings.listen.threads,
    )
    _Server(settings, tls, reread, listener.detach(), files - _FILES_BESIDE).run()
    raise SystemExit(0)  # gunicorn has done so before


def _prepare_figures(workers: int) -> None:
    """Makes the place where several processes keep their figures."""
    if workers == 1:
        os.environ.pop(_FIGURES, None)
        return
    runtime = os.environ.get("RUNTIME_DIRECTORY")
    if runtime:
        directory = Path(runtime.partition(":")[0]) / "figures"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
    else:
        directory = Path(tempfile.mkdtemp(prefix="ingestd-broker-"))
    os.environ[_FIGURES] = str(directory)


def tls_context(tls: Tls | None) -> ssl.SSLContext | None:
    """What TLS connections are taken with: 1.2 and newer. None for None. Raises BrokerError."""
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: b"")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BrokerError(
            f"listen.tls: {tls.cert_file} with {tls.key_file} can't be used: {reason}; both are PEM files that belong "
            "together, the key without a passphrase, and that the broker's user may read"
        ) from None
    return context


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no type hints
    """gunicorn's idea of us: its options, the application for each process, what becomes of a reload."""

    def __init__(
        self,
        settings: Settings,
        tls: ssl.SSLContext | None,
        reread: Callable[[], Settings],
        listener: int,
        connections: int,
    ) -> None:
        self._settings = settings
        self.tls = tls
        """For the workers that are started from now on."""
        self._reread = reread
        self._listener = listener
        self._connections = connections
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options(self._settings.listen).items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """The application, in a process of its own."""
        from ingestd.broker.app import make_app
        from ingestd.broker.compose import compose

        return make_app(compose(self._settings))

    def reload(self) -> None:
        """SIGHUP: the processes that come from now on have the new settings; those with a fault change nothing."""
        try:
            settings = self._reread()
            tls = tls_context(settings.listen.tls)
        except ConfigError as error:
            for fault in error.faults:
                _log.error("%s", fault)
            _log.error("the configuration can't be used, so the one from before stays")
            return
        except BrokerError as error:
            _log.error("%s; so the configuration from before stays", error)
            return
        now = self._settings.listen
        if (settings.listen.address, settings.listen.workers) != (now.address, now.workers):
            _log.warning("listen.address and listen.workers change with a restart only")
        logs.set_up(settings.log.level)
        self._settings, self.tls = settings, tls
        super().reload()
        _log.info("the configuration was read anew")

    def _options(self, listen: Listen) -> dict[str, Any]:
        options = {
            "bind": f"fd://{self._listener}",
            "backlog": _BACKLOG,
            "workers": listen.workers,
            "threads": listen.threads,
            "worker_class": Worker,
            "worker_connections": max(64, min(_MOST_CONNECTIONS, self._connections)),
            "worker_tmp_dir": os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or None,
            "user": os.geteuid(),
            "group": os.getegid(),
            "keepalive": 1,  # that it is; for how long is the worker's
            "graceful_timeout": STOPS_WITHIN_S,
            "limit_request_line": 4094,
            "limit_request_fields": 64,
            "limit_request_field_size": 8190,
            # No header is believed here; `web` looks at the one of a trusted proxy.
            "forwarded_allow_ips": "",
            "forwarder_headers": "",
            "secure_scheme_headers": {},
            "logger_class": _GunicornLog,
            "proc_name": "ingestd-broker",
        }
        if _FIGURES in os.environ:
            options["child_exit"] = _forget_figures
        if listen.tls is not None:
            options |= {
                "certfile": str(listen.tls.cert_file),
                "keyfile": str(listen.tls.key_file),
            }
        return options


class _GunicornLog(Logger):  # type: ignore[misc]  # gunicorn has no type hints
    """What gunicorn tells, among the broker's own lines. Its news are details here; its details are nobody's."""

    def setup(self, _cfg: Any) -> None:
        self.error_log = logging.getLogger(f"{__name__}.gunicorn")

    def info(self, msg: str, *args: Any, **kwargs: Any) -> None:
        self.error_log.debug(msg, *args, **kwargs)

    def debug(self, msg: str, *args: Any, **kwargs: Any) -> None:
        pass

    def access(self, resp: Any, _req: Any, environ: dict[str, Any], request_time: Any) -> None:
        """At debug only: neither query nor headers, which hold secrets."""
        self.error_log.debug(
            "%s %s %s: %s in %.0f ms",
            environ.get("REMOTE_ADDR"),
            environ.get("REQUEST_METHOD"),
            environ.get("PATH_INFO"),
            resp.status,
            request_time.total_seconds() * 1000,
        )

    def reopen_files(self) -> None:
        pass


def _forget_figures(_arbiter: Any, worker: Any) -> None:
    from ingestd.broker.figures import forget_process

    forget_process(worker.pid)


def _listening(address: Address) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
    except OSError as error:
        raise BrokerError(
            f"can't listen on {address}: {error.strerror}; see who does (ss -ltnp), or change listen.address"
        ) from None
    return listener


def _allow_many_files() -> int:
    """How many files a process may have open: a connection is one, and systemd lets a service have 1024 at first."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
