"""Why a message is not handed to a handler."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 (said to the journal, and the message is forgotten)
    """The text says what is the matter with the message and what to do; it shows nothing a stranger wrote.

    `kind` is the same for the same matter.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
