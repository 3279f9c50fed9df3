"""A token that systemd hands over as a credential: how its path shows it, and how it is renewed. Pure; any thread."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

_FOLDER: Final = PurePath("/run/credentials")  # systemd.exec(5), LoadCredential=


def is_credential(path: PurePath) -> bool:
    """Whether systemd makes it when the service starts: nobody may write it, and it is gone when the service stops."""
    return _FOLDER in path.parents


def renewing(path: PurePath) -> tuple[str, ...]:
    """The commands by which root puts another token in its place; TOKEN-FILE is for the reader to fill in."""
    from shlex import quote  # here: a start does without

    name, encrypted = quote(path.name), quote(f"/etc/credstore.encrypted/{path.name}")
    return f"systemd-creds encrypt --name={name} TOKEN-FILE {encrypted}", "systemctl restart ingestd"
