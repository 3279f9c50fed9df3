"""News in a flood: whoever reads misses none and is not cut off, whoever does not holds nobody up."""

from __future__ import annotations

from pathlib import Path

from tests.rig.process import wait_until
from tests.unit.control_case import Client, Control, control
from tests.unit.peers import GUARD_S, Task


def listener(served: Control) -> Client:
    client = served.client()
    assert client.ask("subscribe", {"topic": "T"})["result"]
    return client


def say(served: Control, texts: range, size: int) -> None:
    for number in texts:
        served.thread.publish("message", {"topic": "T", "text": f"{number} ".ljust(size, "x")})


def heard(client: Client, messages: int) -> list[int]:
    return [int(client.line()["params"]["text"].split()[0]) for _ in range(messages)]


def test_whoever_reads_misses_none_of_a_flood_and_hears_it_in_order(tmp_path: Path) -> None:
    with control(tmp_path) as served, listener(served) as client, listener(served) as other:
        say(served, range(5000), 1000)
        hearing = Task(lambda: heard(other, 5000))
        assert heard(client, 5000) == hearing.result() == list(range(5000))
        assert served.thread.figures["missed"] == served.thread.cut_off == 0


def test_long_messages_come_whole_too(tmp_path: Path) -> None:
    with control(tmp_path) as served, listener(served) as client:
        say(served, range(200), 40_000)
        assert heard(client, 200) == list(range(200))
        assert served.thread.cut_off == 0


def test_whoever_does_not_read_is_cut_off_and_the_others_hear_everything(tmp_path: Path) -> None:
    with control(tmp_path, patience_s=GUARD_S) as served, listener(served), listener(served) as client:
        say(served, range(3000), 1000)
        assert heard(client, 3000) == list(range(3000))
        served.thread._patience_s = 0.3  # only now: who reads may be held up by this machine
        wait_until(lambda: served.thread.cut_off == 1, GUARD_S, "the deaf one to be cut off")
        say(served, range(100), 1000)
        assert heard(client, 100) == list(range(100))


def test_what_is_said_on_a_topic_nobody_listens_to_is_not_kept(tmp_path: Path) -> None:
    with control(tmp_path) as served, listener(served) as client:
        served.thread.publish("message", {"topic": "other", "text": "x"})
        say(served, range(1), 10)
        assert heard(client, 1) == [0]
        assert served.thread.figures["missed"] == 0
