"""ingestd-broker webhook: has the service tell the broker of its calls."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ingestd.broker.command.context import Context
from ingestd.broker.command.shown import say
from ingestd.broker.errors import BrokerError
from ingestd.broker.events import DOCUMENTED, PATH
from ingestd.core.ingest_session import is_loopback

if TYPE_CHECKING:
    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]

_LONGEST_URL: Final = 2048
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def add(parsers: Parsers) -> None:
    """Its arguments."""
    about = "have the service tell this broker of its calls"
    webhook = parsers.add_parser("webhook", help=about, description=about.capitalize() + ".")
    inner = webhook.add_subparsers(required=True, metavar="COMMAND")
    register = inner.add_parser(
        "register",
        help="register the broker's address with the service",
        description="Has the service post the events of the account's calls to URL from now on, each of them signed; "
        "`ingestd-broker events` shows what comes.",
    )
    register.add_argument("url", metavar="URL", help=f"where the service reaches this broker: https://HOST{PATH}")
    register.add_argument(
        "--event", action="append", default=[], metavar="NAME", help="tell of this only; may be repeated; default: all"
    )
    register.set_defaults(run=run)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """0 once the service has taken it. Raises BrokerError and ServiceError."""
    from ingestd.broker.service import Service
    from ingestd.broker.tokens import Tokens

    url = checked_url(arguments.url)
    for name in arguments.event:
        if not _NAME.fullmatch(name):
            raise BrokerError(f"--event {name!r} is no event's name; give one like call-started")
    events = tuple(dict.fromkeys(arguments.event)) or DOCUMENTED
    videosdk = context.settings.videosdk
    Service(videosdk).register_webhook(Tokens(videosdk, context.now).current(), url, events)
    context.out(f"registered {url} for {', '.join(events)}")
    if urlsplit(url).path != PATH:
        say(f"Mind that the broker takes webhooks at {PATH}: a proxy has to lead that URL there.")
    return 0


def checked_url(url: str) -> str:
    """`url` if webhooks may go there. Raises BrokerError."""
    wanted = f"give https://HOST{PATH}"
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or set(url) & set(' \\"<>'):
        raise BrokerError(f"that is no URL: it is too long, or has a character that can't be in one; {wanted}")
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise BrokerError(f"{url} has a host or port that can't be; {wanted}") from None
    if parts.scheme not in ("https", "http") or not host:
        raise BrokerError(f"{url} is no web address; {wanted}")
    if "@" in parts.netloc:
        raise BrokerError(f"that URL has a user or password in it, which the broker never asks for; {wanted}")
    if "#" in url:
        raise BrokerError(f"{url} has a # part, which is never sent; {wanted}")
    if parts.scheme == "http" and not is_loopback(host):
        raise BrokerError(f"{url} would be told of calls in the clear: http:// is only for this machine; {wanted}")
    return url
