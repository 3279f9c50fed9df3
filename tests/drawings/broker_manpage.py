"""Draws etc/man/ingestd-broker.8: commands as their parser has them, keys out of the configuration's own definitions.

`python -m tests.drawings.broker_manpage` writes it; `--check` only says whether it would. The form is mdoc(7).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from ingestd.broker.command.main import parser
from ingestd.broker.settings import SETTINGS, Settings
from ingestd.config.groups import Setting
from ingestd.config.secret import Secret
from ingestd.config.web import Address
from tests.drawings.mdoc import default, escaped, sentence, text

PAGE: Final = Path(__file__).resolve().parents[2] / "etc/man/ingestd-broker.8"

_HEAD: Final = r"""
.\" Drawn by `python -m tests.drawings.broker_manpage`, commands and keys out of ingestd/broker; changes belong there.
.Dd November 23, 2026
.Dt INGESTD-BROKER 8
.Os ingestd
.hw ingestd token broker
.Sh NAME
.Nm ingestd-broker
.Nd gives devices their VideoSDK sessions, so that none holds a token of the account
.Sh SYNOPSIS
.Nm
.Op Fl -config Ar FILE
.Ar COMMAND
.Op Ar arguments
.Nm
.Fl h | Fl -help | Fl -version
.Sh DESCRIPTION
.Nm
is the backend of
.Xr ingestd 8 :
a device asks it for a session with a key of its own, and it asks the service with a token that it mints and keeps.
Where a device goes, and what it is called there, is kept here.
It takes the service's webhooks, verifies their signatures, and so knows which devices are in a call.
.Bl -tag -width Ds
.It Fl -config Ar FILE
The configuration.
Default:
.Pa /etc/ingestd\-broker/broker.yaml .
.It Fl h , Fl -help
Show a summary; after a command, of that one.
.It Fl -version
Show the version.
.El
.Ss Over HTTP
.Bl -tag -width Ds
.It POST /v1/sessions
For devices, with
.Ql Authorization: Bearer KEY :
a session, in the service's own form.
.It POST /v1/webhooks/videosdk
For the service: an event of a call, signed.
.It GET /v1/devices , GET /metrics
For operators, with the key of
.Ic operators.key_file :
each device with its last session and event, and figures for Prometheus.
.It GET /healthz , GET /v1/openapi.json
For everybody: whether the database answers, and a description of all this.
.El
.Ss The service
.Pa ingestd\-broker.service
is left alone until there is a configuration.
.Ic systemctl reload ingestd\-broker
reads configuration and certificate anew and cuts nobody off; with a fault in them nothing changes.
.Pa ingestd\-broker\-prune.timer
runs
.Nm Ic prune
every day.
.Pp
Root may run every command: it goes on as the service, which is the owner of SQLite's directory, or with PostgreSQL of
.Pa /var/lib/ingestd\-broker .
"""

_BEFORE_KEYS: Final = r"""
.Sh CONFIGURATION
The file is YAML, in UTF\-8, and files of
.Pa conf.d
beside it, whose names end in
.Pa .yaml ,
are laid over it in the order of their names, key by key: a later value replaces an earlier one, null and lists too.
A dotted name stands for headings.
Either
.Ic videosdk.api_key
or
.Ic videosdk.token_file
is needed.
"""

_TAIL: Final = r"""
.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/ingestd\-broker/broker.yaml , /etc/ingestd\-broker/conf.d/*.yaml
The configuration, never touched by an upgrade.
.It Pa /etc/ingestd\-broker/api\-secret , /etc/ingestd\-broker/operator\-key
Secrets, each alone in its file: mode 640, owner root, group ingestd\-broker.
.It Pa /var/lib/ingestd\-broker/broker.db
The database, where it is SQLite.
.It Pa /usr/share/doc/ingestd\-broker/examples/
A configuration with every key, nginx in front, and a drop-in for port 443.
.El
.Sh EXIT STATUS
.Bl -tag -width Ds
.It 0
Done.
.It 1
It can't be done; standard error tells why.
.It 2
Not a command, or not its arguments.
.It 78
The configuration can't be used; every fault is told.
.It 130
Interrupted.
.It 141
Whoever read the output has gone.
.El
.Sh EXAMPLES
A device, whose key goes into a file and nowhere else:
.Pp
.Dl (umask 077; ingestd\-broker device add gate \-\-room abcd\-efgh\-ijkl >gate.key)
.Pp
On that device:
.Bd -literal -offset indent
backend:
  url: "https://broker.example/v1/sessions"
  token_file: /etc/ingestd/token
.Ed
.Pp
What becomes of its calls:
.Bd -literal -offset indent
ingestd\-broker webhook register \e
    https://broker.example/v1/webhooks/videosdk
ingestd\-broker events \-\-follow
.Ed
.Sh SEE ALSO
.Xr ingestd 8
.Sh SECURITY CONSIDERATIONS
Whoever reads
.Pa api\-secret
is the account.
A device's key gets sessions for that device, until
.Ic device disable
or
.Ic device rotate\-key
ends that; sessions that run go on.
Of keys only hashes are kept, so a copy of the database opens nothing, but it tells who was in which room when.
"""

_Parsers = argparse._SubParsersAction


def _below(parent: argparse.ArgumentParser) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """Of each command that does something: its words, its line in the help, its parser."""
    for action in parent._actions:
        if isinstance(action, _Parsers):
            for line in action._choices_actions:
                name, command = line.dest, action.choices[line.dest]
                further = list(_below(command))
                yield from ((f"{name} {words}", told, last) for words, told, last in further)
                if not further:
                    yield name, line.help or "", command


def _named(action: argparse.Action) -> str:
    """An argument with its value, as macros."""
    value = "" if action.nargs == 0 else action.metavar or action.dest.upper()
    if not action.option_strings:
        return f"Ar {value}"
    name = action.option_strings[-1].removeprefix("-")
    return f"Fl {name} Ar {value}" if value else f"Fl {name}"


def _commands() -> Iterator[str]:
    yield ".Sh COMMANDS"
    yield ".Bl -tag -width Ds"
    for words, told, command in _below(parser()):
        arguments = [action for action in command._actions if not isinstance(action, argparse._HelpAction)]
        head = [_named(action) if action.required else f"Oo {_named(action)} Oc" for action in arguments]
        yield " ".join([f".It Ic {escaped(words)}", *head])
        yield text(sentence(told) if command.description in (None, told) else _plain(command.description or ""))
        explained = [action for action in arguments if action.help]
        if explained:
            yield ".Bl -tag -width Ds"
            for action in explained:
                yield f".It {_named(action)}"
                yield text(sentence(_plain((action.help or "") % {**vars(action), "prog": command.prog}).rstrip(".")))
            yield ".El"
    yield ".El"


def _plain(words: str) -> str:
    return " ".join(words.split())


def _keys() -> Iterator[str]:
    for top in (setting for setting in SETTINGS if "." not in setting.path):
        yield f".Ss {top.path}"
        yield text(top.doc)
        yield ".Bl -tag -width Ds"
        for setting in SETTINGS:
            if setting.path.startswith(f"{top.path}."):
                yield f".It Ic {escaped(setting.path)}"
                yield text(setting.doc)
                yield ".br"
                yield text(f"{sentence(setting.type)} {default(_shown(setting))}")
        yield ".El"


def _shown(setting: Setting) -> Setting:
    """With the default as it would be written into the file."""
    if setting.required:
        return setting
    value: Any = Settings()
    for name in setting.path.split("."):
        value = getattr(value, name)
    if isinstance(value, Address):
        return dataclasses.replace(setting, default=str(value))
    return dataclasses.replace(setting, default=value.reveal()) if isinstance(value, Secret) else setting


def drawn() -> str:
    """The whole page."""
    return "\n".join([_HEAD.strip("\n"), *_commands(), _BEFORE_KEYS.strip("\n"), *_keys(), _TAIL.lstrip("\n")])


def main() -> int:
    """Exit 1 with --check where the page is not what the definitions say."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    arguments.add_argument("--check", action="store_true", help="write nothing")
    if arguments.parse_args().check:
        return int(not PAGE.exists() or PAGE.read_text() != drawn())
    PAGE.write_text(drawn())
    return 0


if __name__ == "__main__":
    sys.exit(main())
