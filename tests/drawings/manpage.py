"""Draws etc/man/ingestd.yaml.5 out of the configuration's own definitions: every key, its values, default and meaning.

`python -m tests.drawings.manpage` writes it; `--check` only says whether it would. The form is mdoc(7).
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ingestd.config.groups import Setting
from ingestd.config.reload import SERVED
from ingestd.config.schema import SETTINGS, Hook
from tests.drawings.mdoc import default, escaped, sentence, text

PAGE: Final = Path(__file__).resolve().parents[2] / "etc/man/ingestd.yaml.5"
_RELOADS: Final = {"live": "at once", "session": "by a new session", "restart": "by a restart"}
_HOOKS: Final = "hooks"

_HEAD: Final = r"""
.\" Drawn by `python -m tests.drawings.manpage`, the keys out of ingestd/config/schema.py; changes belong there.
.Dd November 23, 2026
.Dt INGESTD.YAML 5
.Os ingestd
.hw ingestd token broker
.Sh NAME
.Nm ingestd.yaml
.Nd the configuration of ingestd and ingestd-hooks
.Sh SYNOPSIS
.Pa /etc/ingestd/ingestd.yaml
.br
.Pa /etc/ingestd/conf.d/*.yaml
.Sh DESCRIPTION
The configuration is YAML, in UTF\-8.
Only
.Ic backend.url
has no default; a backend that does not know the room needs
.Ic session.room_id
too, and the token stands in a file of its own.
.Ic ingestctl setup
asks for these and writes them.
.Pa /usr/share/ingestd/ingestd.yaml
is a file with every key and its default.
.Pp
Aliases, anchors, tags, merge keys, keys given twice and keys that are not known are faults.
.Ic ingestd --check
lists all there are, with file, line and key.
A daemon that starts with a fault in its configuration runs on the last good one, where there is one, and says so.
.Ss How the files are merged
Files in
.Pa conf.d
whose names end in
.Pa .yaml
are laid over the main file in the order of their names, key by key: a later value replaces an earlier one, null and
lists too.
A heading with nothing below it changes nothing.
Hidden files are not read, and one that is empty, as a power cut leaves it, is a fault.
.Ss Placeholders
In
.Ic session.participant ,
within
.Ic id , name
and the strings of
.Ic metadata ,
these are filled in, so that one image serves many devices:
.Pp
.Bl -tag -width "${machine_id}" -compact
.It ${hostname}
the host name
.It ${machine_id}
what
.Pa /etc/machine\-id
holds; machine\-id(5) asks to keep it private, and the whole room can read it here
.It ${serial}
the serial number of the board, of the device tree or else of DMI, which most machines show to root only
.El
.Pp
$${ is a plain ${.
.Ss Secrets
The token, the secrets of handlers and the key of a certificate are read from files of their own.
Keep those at mode 640, owner root, group ingestd; the same for a file of the configuration with the password of a
proxy, or a key within
.Ic backend.url ,
in it.
.Ss Reloading
.Ic systemctl reload ingestd
reads all files anew.
With a fault in one of them nothing changes.
Each key below says how a change of it is taken over: at once; by a new session, without a gap in the call unless an
.Ic agent
is brought along; or only by a restart of ingestd, which the journal tells.
Handlers belong to ingestd\-hooks, which has a reload of its own.
.Ss Units
Where a name ends in a unit, the value is in that unit: _s seconds, _ms milliseconds, _db decibels, _percent percent,
_bytes bytes.
.Sh KEYS
A dotted name stands for headings:
.Ic audio.capture.gain_db
is
.Ic gain_db
below
.Ic capture
below
.Ic audio .
"""

_TAIL: Final = r"""
.Sh FILES
.Bl -tag -width Ds
.It Pa /etc/ingestd/ingestd.yaml
The configuration, written by
.Ic ingestctl setup
and by people, never by an upgrade.
.It Pa /etc/ingestd/conf.d/*.yaml
Laid over it.
.It Pa /usr/share/ingestd/ingestd.yaml
Every key with its default.
.It Pa /var/lib/ingestd/last\-good.yaml , /var/lib/ingestd\-hooks/last\-good.yaml
The configuration that each of both last ran on.
.El
.Sh EXAMPLES
The least there can be:
.Bd -literal -offset indent
backend: {url: \(dqhttps://api.videosdk.live/v2/ingest/sessions\(dq}
session: {room_id: abcd\-efgh\-ijkl}
.Ed
.Pp
A device without an echo canceller, by the names of its cards:
.Bd -literal -offset indent
backend: {url: \(dqhttps://broker.example/sessions\(dq}
audio:
  duplex: half
  capture:
    device: \(dqplughw:CARD=Mic\(dq
    channel: left
    mixer: {control: Capture, level_percent: 80}
  playback: {device: \(dqplughw:CARD=Speaker\(dq, gain_db: \-6}
.Ed
.Pp
Only in a call when somebody asks for one, under the board's own number
.Pq a file of conf.d :
.Bd -literal -offset indent
session:
  start: demand
  hangup_when_alone_s: 120
  participant: {name: \(dqHelp point ${serial}\(dq}
.Ed
.Pp
Programs for messages and states:
.Bd -literal -offset indent
hooks:
  \- topic: DOOR
    exec: [/usr/local/bin/door, open]
    allow_senders: [p_123]
    hmac_secret_file: /etc/ingestd/door\-secret
  \- {state: disconnected, exec: [/usr/local/bin/lamp, red]}
.Ed
.Sh SEE ALSO
.Xr ingestctl 1 ,
.Xr ingestd 8 ,
.Xr ingestd-hooks 8
"""


def _reload(path: str) -> str:
    """How a change is taken over: a key below one that may be null, or in a list, goes with that."""
    while path not in SERVED:
        path = path.rpartition(".")[0].removesuffix("[]")
    return f"Reload: {'of ingestd-hooks' if path == _HOOKS else _RELOADS[SERVED[path]]}."


def _item(setting: Setting) -> Iterator[str]:
    yield f".It Ic {escaped(setting.path)}"
    yield text(setting.doc)
    if not setting.group:
        yield ".br"
        yield text(" ".join([sentence(setting.type), default(setting), _reload(setting.path)]))


def _about(top: Setting) -> str:
    """What stands below its heading; a list is an item of its own below that."""
    return top.doc if top.group else inspect.cleandoc(Hook.__doc__ or "").replace("`", "")


def _keys() -> Iterator[str]:
    """A subsection for each top-level key."""
    for top in (setting for setting in SETTINGS if "." not in setting.path):
        yield f".Ss {top.path}"
        below = [setting for setting in SETTINGS if setting.path.startswith((f"{top.path}.", f"{top.path}[]."))]
        yield text(_about(top))
        yield ".Bl -tag -width Ds"
        for setting in below if top.group else (top, *below):
            yield from _item(setting)
        yield ".El"


def drawn() -> str:
    """The whole page."""
    return "\n".join([_HEAD.strip("\n"), *_keys(), _TAIL.lstrip("\n")])


def main() -> int:
    """Exit 1 with --check where the page is not what the definitions say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args().check:
        return int(not PAGE.exists() or PAGE.read_text() != drawn())
    PAGE.write_text(drawn())
    return 0


if __name__ == "__main__":
    sys.exit(main())
