"""ingestd-broker check: whether the configuration and all that it names can be used, without changing anything."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ingestd.broker.command.context import Context, with_remedy
from ingestd.broker.command.readable import check_readable
from ingestd.broker.errors import BrokerError, ServiceError
from ingestd.broker.settings import Settings
from ingestd.config.faults import Faults
from ingestd.config.layers import DROP_INS, drop_ins
from ingestd.config.secret import exposure, read_token
from ingestd.core.credential import is_credential
from ingestd.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add(parsers: Parsers) -> None:
    """Its arguments."""
    parsers.add_parser(
        "check",
        help="try the configuration and all that it names",
        description="Reads the configuration and the files that it names, looks into the database and asks the service "
        "for its public key; changes nothing. Root does so as the service's user, so that what it may not read is "
        "found.",
    ).set_defaults(run=run)


def run(_arguments: argparse.Namespace, context: Context) -> int:
    """0 where all is well, else 1. Raises ConfigError."""
    settings = context.settings
    conf_d = context.config.parent / DROP_INS
    layers = [context.config, conf_d, *drop_ins(conf_d, Faults())]
    context.become_owner()
    checks: list[Callable[[], str]] = [
        *(lambda path=path: _layer(path, context.config) for path in layers),
        *(lambda name=name, path=path: _secret(name, path) for name, path in _secrets(settings)),
        lambda: _certificate(settings),
        lambda: _database(context),
        lambda: _service(settings),
    ]
    bad = 0
    for check in checks:
        try:
            if text := check():
                context.out(f"good: {text}")
        except (BrokerError, ServiceError, ConfigError) as error:
            bad += 1
            context.out(f"bad:  {with_remedy(str(error))}")
    if os.geteuid() == 0:
        context.out(
            "not tried: all this as the service's user: the directory of its database, or state, is root's; chown it, "
            "or run this as that user"
        )
    # Every request that needs it makes something over there.
    sent = "API secret" if settings.videosdk.token_file is None else "token"
    context.out(f"not tried: whether the service takes the {sent}; the first session will show")
    return 1 if bad else 0


def _layer(path: Path, config: Path) -> str:
    """Good as the settings were read from it; whether by the one who is to serve is seen here."""
    check_readable(path)
    return f"the configuration, {path}" if path == config else ""


def _secrets(settings: Settings) -> list[tuple[str, Path]]:
    videosdk = settings.videosdk
    named = [
        ("API secret", videosdk.api_secret_file if videosdk.token_file is None else None),
        ("token", videosdk.token_file),
        ("password", settings.storage.password_file),
        ("operator key", settings.operators.key_file),
    ]
    return [(name, path) for name, path in named if path is not None]


def _secret(name: str, path: Path) -> str:
    if not is_credential(path):  # of systemd's, which nobody gives another group
        check_readable(path)
    read_token(path, name)
    if warning := exposure(path, name):
        raise BrokerError(warning)
    return f"the {name}, {path}"


def _certificate(settings: Settings) -> str:
    if settings.listen.tls is None:
        return ""
    from ingestd.broker.serve import tls_context

    for path in (settings.listen.tls.cert_file, settings.listen.tls.key_file):
        check_readable(path)
    tls_context(settings.listen.tls)
    return f"the certificate, {settings.listen.tls.cert_file}"


def _database(context: Context) -> str:
    from ingestd.broker.migrating import is_behind

    storage = context.database
    behind = is_behind(storage)
    return f"the database, {storage.shown}" + (", whose tables serve will bring up to date" if behind else "")


def _service(settings: Settings) -> str:
    from ingestd.broker.service import Service

    if settings.videosdk.ca_file is not None:
        check_readable(settings.videosdk.ca_file)
    try:
        Service(settings.videosdk).public_key()
    except ServiceError as error:
        remedy = "" if "videosdk." in str(error) else "; see videosdk.url, videosdk.ca_file, and the way there"
        raise BrokerError(f"the service, {settings.videosdk.url}: {error}{remedy}") from None
    return f"the service, {settings.videosdk.url}"
