"""The handlers as the configuration has them: what each listens to, and what it is called in the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ingestd.config.schema import Config, Hook
from ingestd.config.secret import Secret, exposure, read_token
from ingestd.errors import ConfigError
from ingestd.hooks.refused import Refused

_SECRET: Final = "secret"  # noqa: S105 (what it is called in errors)


def name_of(hook: Hook) -> str:
    """For a line of the log: what is run, and for what."""
    what = f"topic {hook.topic}" if hook.topic is not None else f"state {hook.state}"
    return f"{hook.exec[0]} ({what})"


def fields_of(hook: Hook) -> dict[str, str]:
    """The journal's fields of whatever is said about it."""
    what = {"TOPIC": hook.topic} if hook.topic is not None else {"STATE": str(hook.state)}
    return {"HOOK": hook.exec[0], **what}


def topics_of(hooks: Sequence[Hook]) -> list[str]:
    """The topics to subscribe to, each once, in the configuration's order."""
    return list(dict.fromkeys(hook.topic for hook in hooks if hook.topic is not None))


def read_secret(path: Path) -> Secret:
    """The secret in a file, anew each time, as somebody may replace it. Raises Refused."""
    try:
        return read_token(path, _SECRET)
    except ConfigError as error:
        raise Refused("secret", f"its secret can't be had: {error}") from None


def warnings(config: Config) -> Iterator[str]:
    """What a person should look at, though all of it can be run."""
    for path in dict.fromkeys(hook.hmac_secret_file for hook in config.hooks if hook.hmac_secret_file is not None):
        if warning := exposure(path, _SECRET):
            yield warning
        try:
            read_token(path, _SECRET)
        except ConfigError as error:
            yield f"{error} (until then its messages are refused; the file is read anew for each)"
    for hook in config.hooks:
        if hook.reply and hook.allow_senders is None and hook.hmac_secret_file is None:
            yield (
                f"{name_of(hook)}: replies to whoever writes, and two devices that do so on one topic answer each "
                "other for ever; name those who may ask in allow_senders"
            )
        if not Path(hook.exec[0]).is_file():
            yield f"{name_of(hook)}: there is no such program yet; install it, or correct hooks[].exec"
