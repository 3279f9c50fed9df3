"""Writes etc/bash-completion/ingestctl from the commands' own parsers, so that it always completes what there is.

`python -m tests.drawings.completion` rewrites it; `--check` only says whether it would.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ingestd.config import arguments
from ingestd.ctl import main as ctl

FILE = Path(__file__).resolve().parents[2] / "etc" / "bash-completion" / "ingestctl"
_HEAD = """\
# Completion for bash of ingestctl, ingestd and ingestd-hooks: commands, options, files. No program is run for it.
# Made from their parsers by tests/drawings/completion.py; changes belong there.

# What has been typed so far: `current` is the word at the cursor, `option` the one before it, `command` the command.
# "$@": the options before a command that take a value.
_ingestd_typed() {
    local i word value=
    current=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} command=
    if [[ $current == = ]]; then
        current=
    elif [[ $option == = ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $value ]]; then
            [[ $word == = ]] || value=
        elif [[ " $* " == *" $word "* ]]; then
            value=1
        elif [[ $word != -* ]]; then
            command=$word
            return
        fi
    done
}

_ingestd_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

_ingestd_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
}
"""


def completion() -> str:
    """The whole file."""
    others = (arguments.parser(name, "", "") for name in ("ingestd", "ingestd-hooks"))
    return "\n".join([_HEAD, *map(_program, (ctl.parser(), *others))])


def _program(parser: argparse.ArgumentParser) -> str:
    """The function of one program, and its registration."""
    name = "_" + parser.prog.replace("-", "_")
    commands = _commands(parser)
    before = [option for action in _options(parser) if _takes_value(action) for option in action.option_strings]
    values: dict[str, list[str]] = defaultdict(list)
    words = []
    for command, one in (("", parser), *commands.items()):
        for action in _options(one):
            if _takes_value(action):
                values[_value(action)] += [f'"{command} {option}"' for option in action.option_strings]
        options = f'_ingestd_words "{" ".join(_name(action) for action in _options(one))}"'
        others = _words(one, commands if not command else {}, options)
        words += [f'"{command} -"*) {options} ;;'] * (others != options)
        words.append(f'"{command} "*) {others} ;;')
    lines = [f"{name}() {{", "    local current option command", f"    _ingestd_typed {' '.join(before)}".rstrip()]
    lines += ["    COMPREPLY=()", '    case "$command $option" in']
    lines += [f"        {' | '.join(patterns)}) {value} ;;" for value, patterns in values.items()]
    lines += ["    esac", '    case "$command $current" in', *(f"        {line}" for line in words)]
    return "\n".join([*lines, "    esac", "}", f"complete -F {name} {parser.prog}", ""])


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    return (action for action in parser._actions if action.option_strings and action.help != argparse.SUPPRESS)


def _name(action: argparse.Action) -> str:
    return action.option_strings[-1]  # the long one


def _takes_value(action: argparse.Action) -> bool:
    return action.nargs != 0


def _value(action: argparse.Action) -> str:
    """What completes the value of an option, and ends the search unless it may be left out."""
    if action.choices is not None:
        return f'_ingestd_words "{" ".join(map(str, action.choices))}"; return'
    if action.type is Path:
        return "_ingestd_files; return"
    return "[[ $current == -* ]] || return" if action.nargs == "?" else "return"


def _words(parser: argparse.ArgumentParser, commands: dict[str, argparse.ArgumentParser], options: str) -> str:
    """What completes a word that begins with no dash; `options` where it takes none."""
    if commands:
        return f'_ingestd_words "{" ".join(commands)}"'
    positional = [action for action in parser._actions if not action.option_strings]
    if any(action.type is Path for action in positional):
        return "_ingestd_files"
    words = [str(word) for action in positional for word in action.choices or ()]
    return f'_ingestd_words "{" ".join(words)}"' if words else ":" if positional else options


def main() -> int:
    """Exit 1 with --check where the file is not what the parsers say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    if parser.parse_args().check:
        return int(not FILE.exists() or FILE.read_text() != completion())
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(completion())
    return 0


if __name__ == "__main__":
    sys.exit(main())
