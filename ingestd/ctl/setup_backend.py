"""ingestctl setup, its first half: where sessions come from, tried by asking for one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ingestd.config import Config, Secret, read_token
from ingestd.config.change import ChangedConfig, problem
from ingestd.config.secret import awaits_the_service, parse_token
from ingestd.core.remedies import advice
from ingestd.core.times import DEFAULT
from ingestd.ctl.command import CommandError, say
from ingestd.ctl.dialogue import Dialogue
from ingestd.ctl.paint import one_line
from ingestd.errors import BackendError, ConfigError
from ingestd.net.cancel import Cancel
from ingestd.planning import backend_of, body_of, tls_files, where

SERVICE_URL: Final = "https://api.videosdk.live/v2/ingest/sessions"
URL: Final = "backend.url"
AUTH: Final = "backend.auth_scheme"
ROOM: Final = "session.room_id"
_NO_ROOM: Final = "-"
_OF_A_TOKEN_GIVEN: Final[Mapping[str, tuple[str, str]]] = {
    "unauthorized": (
        "The token given has expired, is damaged, or is sent in another form than expected.",
        "Give a fresh one; if it was fresh, try the other --auth.",
    ),
    "forbidden": (
        "The token given is genuine, but not for this.",
        "Give one with the permission allow_join, and for this room.",
    ),
}
"""Meaning and remedy by `Advice.name`, where the token is in no file yet."""


@dataclass
class Answers:
    """What somebody wants: values by dotted key, and the token where it is to be a new one."""

    values: dict[str, str | None] = field(default_factory=dict)
    token: Secret | None = None


@dataclass(frozen=True)
class GivenBackend:
    """What the command line says already; None is asked for."""

    url: str | None
    auth: str | None
    token: Secret | None
    room: str | None


def ask_backend(talk: Dialogue, files: ChangedConfig, given: GivenBackend, kept: str | None, *, tried: bool) -> Answers:
    """URL, way of the token, token and room, that a session was created by or that somebody insists on.

    `kept`: why the token stays as it is, where it does (`setup_files.why_kept`). Unless they are to be `tried` they
    only have to be what a configuration may hold.
    """
    answers = Answers({key: files.value(key) for key in (URL, AUTH, ROOM)}, None)
    if answers.values[URL] is None:
        answers.values[URL] = SERVICE_URL
    while True:
        _ask(talk, files, given, kept, answers)
        try:
            config = files.config(files.contents(answers.values), answers.values)
        except ConfigError as error:
            raise CommandError("\n".join(error.faults)) from None
        if not tried or _try(talk, files.path, config, answers.token):
            return answers
        given = GivenBackend(None, None, None, None)


def _ask(talk: Dialogue, files: ChangedConfig, given: GivenBackend, kept: str | None, answers: Answers) -> None:
    values = answers.values
    shown = without_query(values)[URL]
    values[URL] = talk.ask("Backend URL", values[URL], lambda text: problem(URL, text), given.url, shown)
    scheme = given.auth if given.auth or talk.asking else values[AUTH]
    question = "How the token is sent (bearer, raw)"
    values[AUTH] = talk.ask(question, values[AUTH], lambda text: problem(AUTH, text), scheme)
    if kept is None:
        answers.token = given.token or _token(talk, files.fixed.backend.token_file, answers.token)
    elif talk.asking:
        say(f"The token stays as it is. {kept}")
    question = f"Room ({_NO_ROOM} for none, where the backend knows it)"
    default = values[ROOM] if values[ROOM] is not None else _NO_ROOM
    room = talk.ask(question, default, lambda text: problem(ROOM, _room(text)), given.room)
    values[ROOM] = _room(room)


def _room(text: str) -> str | None:
    return None if text in ("", _NO_ROOM) else text


def _token(talk: Dialogue, path: Path, entered: Secret | None) -> Secret | None:
    """A new token, or None for the one that is in the file."""
    try:
        read_token(path)
    except ConfigError as error:
        missing: str | None = str(error)
        if path.exists() and entered is None:
            say(f"  ! {one_line(missing)}")
    else:
        missing = None
    kept = "the one just given" if entered else f"the one in {one_line(path)}" if missing is None else ""
    question = "Token (is not shown; or the path of a file with it" + (f"; Enter keeps {kept})" if kept else ")")
    while True:
        text = talk.secret(question).strip()
        if not text and kept:
            return entered
        try:
            if text.startswith(("/", "~/", "./", "../")):
                return read_token(Path(text).expanduser())
            return parse_token(os.fsencode(text))
        except ConfigError as error:
            talk.complain(str(error) if text else "the token is empty: give it, or the path of a file with it")


def _try(talk: Dialogue, path: Path, config: Config, token: Secret | None) -> bool:
    """Whether to go on with it: a session was created, or somebody keeps it all the same."""
    if token is None and awaits_the_service(config.backend.token_file):
        say("The backend is not asked for a session: the token, a credential, is there while the service runs.")
        return True
    say("Asking the backend for a session ...")
    try:
        with _token_file(token, config.backend.token_file) as token_file:
            backend = backend_of(config, tls_files(config), DEFAULT, token_file)
            session = backend.create(body_of(config), Cancel())
    except BackendError as error:
        said = advice(error, where(config, path))
        found = said.meaning, said.remedy
        meaning, remedy = found if token is None else _OF_A_TOKEN_GIVEN.get(said.name, found)
        talk.complain(f"{error}\n{meaning}\n{remedy}")
        return talk.confirm("Keep it all the same?", default=False)
    say(f"  The backend created a session; nobody claims it, so it ends by itself after {session.expires_in_s:.0f} s.")
    return True


@contextlib.contextmanager
def _token_file(token: Secret | None, configured: Path) -> Iterator[Path]:
    """A file with the token: the configured one, or for a new token one in memory, as nothing is written yet."""
    if token is None:
        yield configured
        return
    descriptor = os.memfd_create("token")
    try:
        os.write(descriptor, token.reveal().encode())
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def without_query(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """The values as they may be shown: the query of a URL may hold a key."""
    shown = dict(values)
    if (url := shown.get(URL)) is not None and "?" in url:
        shown[URL] = url.partition("?")[0] + "?…"
    return shown
