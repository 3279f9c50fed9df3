"""Words and settings as mdoc(7) has them, for the manual pages that are drawn."""

from __future__ import annotations

import json
import re
import textwrap
from typing import Final

from ingestd.config.groups import Setting

_COLUMNS: Final = 78
_ESCAPES: Final = str.maketrans({"\\": "\\e", "-": "\\-", "'": "\\(aq", '"': "\\(dq", "~": "\\(ti", "^": "\\(ha"})
_TECHNICAL: Final = re.compile(r"""[-/_=\[{"]|:.|^[.']""")


def escaped(words: str) -> str:
    """As they are, with nothing in them that mdoc would read otherwise."""
    return words.translate(_ESCAPES)


def text(words: str) -> str:
    """A paragraph as text lines, each sentence beginning a new one, and none taken for a macro."""
    lines = [line for sentence in re.split(r"(?<=\.) ", words) for line in _lines(sentence)]
    return "\n".join(" ".join(map(_word, line.split(" "))) for line in lines)


def sentence(words: str) -> str:
    """With a capital, but for a URL, and a full stop."""
    return (words if ":" in words.split(" ")[0] else words[0].upper() + words[1:]) + "."


def default(setting: Setting) -> str:
    """What holds where a key is not given."""
    if setting.required:
        return "Required."
    value = setting.default
    return f"Default: {f'{value:g}' if isinstance(value, float) else json.dumps(value, ensure_ascii=False)}."


def _word(word: str) -> str:
    """One that stands for itself is neither hyphenated nor taken for a macro."""
    return ("\\%" if _TECHNICAL.search(word) else "") + escaped(word)


def _lines(sentence: str) -> list[str]:
    return textwrap.wrap(sentence, _COLUMNS, break_long_words=False, break_on_hyphens=False)
