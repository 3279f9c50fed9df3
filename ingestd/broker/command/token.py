"""ingestd-broker token mint: a token of the service, for a bench without a broker."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from ingestd.broker.command.context import Context
from ingestd.broker.command.shown import say, utc, whole_number
from ingestd.broker.errors import BrokerError

if TYPE_CHECKING:
    Parsers = argparse._SubParsersAction[argparse.ArgumentParser]

_LONGEST_S: Final = 365 * 86_400


def add(parsers: Parsers) -> None:
    """Its arguments."""
    about = "mint a token of the service, for a bench without a broker"
    token = parsers.add_parser("token", help=about, description=about.capitalize() + ".")
    actions = token.add_subparsers(required=True, metavar="ACTION")
    mint = actions.add_parser("mint", help="the token alone, on standard output", description=about.capitalize() + ".")
    mint.add_argument(
        "--lives-s",
        type=whole_number(_LONGEST_S),
        metavar="N",
        help="seconds that it is good for, default: videosdk.token_lives_s",
    )
    mint.add_argument("--room", metavar="ID", help="good for this room only")
    mint.add_argument("--participant-id", metavar="ID", help="good for this participant only")
    mint.set_defaults(run=_mint)


def _mint(arguments: argparse.Namespace, context: Context) -> int:
    from ingestd.broker.tokens import api_secret, mint

    videosdk = context.settings.videosdk
    if videosdk.api_key is None:
        raise BrokerError(
            "a token is minted with videosdk.api_key and the secret in videosdk.api_secret_file, and the "
            f"configuration has neither; it names a token that was minted elsewhere: {videosdk.token_file}"
        )
    lives_s = videosdk.token_lives_s if arguments.lives_s is None else arguments.lives_s
    now_s = context.now()
    secret = api_secret(videosdk)
    context.out(mint(videosdk.api_key, secret, lives_s, now_s, arguments.room, arguments.participant_id))
    where = "this room" if arguments.room else "any room of the account"
    say(f"Good until {utc(int((now_s + lives_s) * 1000))} UTC. Whoever has it may send into {where}: keep it secret.")
    return 0
