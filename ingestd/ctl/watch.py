"""ingestctl watch: a live screen of what the daemon does."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from ingestd.ctl.command import EXIT_OK, Command, CommandError
from ingestd.ctl.feed import Feed
from ingestd.ctl.fullscreen import FullScreen
from ingestd.ctl.paint import Style, is_unicode, one_line, wants_colour, written
from ingestd.ctl.reading import Reading
from ingestd.ctl.watch_view import News, Scene, view
from ingestd.ctl.words import microphone_is, notice, unkept

_EVERY_S: Final = 0.125
_NEWS_KEPT: Final = 500


def _watch(arguments: argparse.Namespace) -> int:
    if arguments.json:
        raise CommandError("a live screen is no JSON; for programs: ingestctl --json status")
    colour, unicode = wants_colour(sys.stdout.isatty(), os.environ), is_unicode(sys.stdout.encoding)
    news: deque[News] = deque(maxlen=_NEWS_KEPT)
    feed = Feed(arguments.socket, arguments.topic, lambda why: news.append(News(_now(), one_line(why), Style.BAD)))
    with FullScreen() as screen, contextlib.closing(feed):
        while True:
            news.extend(found for told in feed.poll() if (found := _news(told["method"], told["params"])) is not None)
            size = screen.size()
            scene = Scene(feed.reading, feed.away, news, _now())
            lines = view(scene, size.columns, size.lines)
            screen.draw([written(each, colour, unicode) for each in lines], size)
            match screen.key(_EVERY_S):
                case "q":
                    return EXIT_OK
                case "m" if feed.reading is not None:
                    told = mute_or_unmute(feed, feed.reading)
                    news.extend([] if told is None else [told])


def mute_or_unmute(feed: Feed, reading: Reading) -> News | None:
    """The other of both; what has to be told of it."""
    muted = not reading.muted
    answer = feed.ask("mute" if muted else "unmute")
    lost = unkept(answer, microphone_is(muted)) if isinstance(answer, Mapping) else None
    return None if lost is None else News(_now(), lost, Style.BAD)


def _news(method: str, params: Mapping[str, Any]) -> News | None:
    said = notice(method, params)
    if said is None:
        return None
    trouble = params.get("event") in ("fault", "device-lost", "disconnected")
    return News(_now(), said, Style.BAD if trouble else Style.PLAIN)


def _now() -> datetime:
    return datetime.now().astimezone()


def _watch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--topic",
        action="append",
        metavar="TOPIC",
        help="show its messages; may be given several times (default: the topics that the device listens to)",
    )


COMMANDS: Final = (
    Command(
        "watch",
        "a live screen: levels, delay, counters, faults, messages",
        _watch,
        _watch_arguments,
        description="Shows live what the device does: the levels of both ways, delay, loss, clocks, faults with what "
        "helps, messages and events. q quits, m mutes and unmutes. It waits for an ingestd that is not there.",
    ),
)
