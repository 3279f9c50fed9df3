"""What local programs listen to, told to each connection at a pace that it has room for."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from ingestd.control.subscriptions import Subscriptions
from ingestd.core.topics import TopicSet
from tests.rig.scripted_ports import ScriptedLink


class Room(ScriptedLink):
    """One connection, and what the room knows by it."""

    def __init__(self, topics: tuple[str, ...], now: Callable[[], float]) -> None:
        super().__init__(1)
        self.topics = topics
        self.known = set(topics)
        self.words: list[tuple[float, str]] = []
        self.is_full = False
        self._now = now

    def post(self, text: bytes) -> bool:
        if self.is_full:
            return False
        word = json.loads(text)
        topic = word["topic"]
        assert (topic in self.known) is (word["event"] == "unsubscribe"), "told what it knew"
        self.known ^= {topic}
        self.words.append((self._now(), topic))
        return True


class Case:
    """The connections there are, and the time."""

    def __init__(self, *configured: str) -> None:
        self.now = 0.0
        self.topics = TopicSet(configured)
        self.rooms: list[Room] = []
        self.room = self.opened()
        self.joins(self.room)
        self.subscriptions = Subscriptions(self.topics, lambda: self.rooms)

    def opened(self) -> Room:
        """A connection that says all that is wanted now; it is not in the room yet."""
        return Room(self.topics.all(), lambda: self.now)

    def joins(self, *rooms: Room) -> None:
        """These are there now."""
        self.rooms = list(rooms)

    def want(self, *topics: str) -> None:
        self.subscriptions.want(topics, self.now)

    def pass_s(self, seconds: float) -> None:
        """Time passes, as it does for the control thread."""
        for _ in range(round(seconds * 100)):
            self.now += 0.01
            self.subscriptions.step(self.now)

    def comes_when_due(self) -> None:
        """Nobody wakes the control thread any more: it comes once, when it is due."""
        self.now = self.subscriptions.due_s
        self.subscriptions.step(self.now)


def test_the_first_is_told_at_once_and_the_next_soon_after() -> None:
    case = Case("CHAT")
    case.want("A")
    assert case.room.known == {"CHAT", "A"}
    case.want("A", "B")
    assert case.room.known == {"CHAT", "A"}
    assert case.topics.all() == ("CHAT", "A", "B"), "a new connection asks for all of them"
    case.pass_s(0.05)
    assert case.room.known == {"CHAT", "A", "B"}


def test_what_comes_and_goes_in_between_costs_no_word() -> None:
    case = Case()
    case.want("A")
    for number in range(1000):
        case.want("A", f"flood {number}")
        case.want("A")
    case.want("A", "B")
    case.pass_s(1.0)
    assert [topic for _, topic in case.room.words] == ["A", "B"]


def test_many_at_once_leave_every_second_word_to_messages() -> None:
    case = Case()
    case.want(*(str(number) for number in range(100)))
    case.pass_s(3.9)
    assert len(case.room.words) == 100
    for since_s in (number / 10 for number in range(40)):
        assert len([1 for at_s, _ in case.room.words if since_s <= at_s < since_s + 1.0]) <= 25 + 16
    case.pass_s(1.0)
    assert len(case.room.words) == 100, "once each"


def test_what_has_waited_longest_is_told_first() -> None:
    case = Case()
    case.want(*(f"a{number}" for number in range(40)))
    case.want(*(f"a{number}" for number in range(40)), "z")
    for turn in range(60):  # always new ones, whose names come first
        case.want("z", *(f"{letter}{turn}" for letter in "bcdefghijklmnopqrstuvwxy"))
        case.pass_s(0.1)
    assert "z" in case.room.known


def test_a_connection_opened_while_an_end_waited_hears_of_what_is_wanted_again() -> None:
    case = Case()
    many = [f"t{number}" for number in range(60)]
    case.want(*many)
    case.pass_s(10.0)
    case.want()  # the program goes; some ends are told, the others wait
    late = case.opened()
    case.joins(late)
    case.pass_s(0.3)
    case.want(*many)  # and is back
    case.pass_s(10.0)
    assert late.known == set(many)


def test_a_topic_that_the_configuration_has_got_meanwhile_is_not_ended() -> None:
    case = Case()
    case.want("A")
    case.want()
    case.topics.follow(["A"])
    case.pass_s(1.0)
    assert case.room.known == {"A"}
    assert len(case.room.words) == 1


def test_the_configuration_read_anew_is_told_without_a_client() -> None:
    case = Case("OLD", "KEPT")
    case.topics.follow(["KEPT", "NEW"])
    case.pass_s(0.2)
    assert case.room.known == {"KEPT", "NEW"}


def test_a_wake_up_that_comes_too_soon_for_a_look_is_made_good_by_one_a_little_later() -> None:
    case = Case("CHAT")
    case.subscriptions.step(10.00)
    assert case.subscriptions.due_s == math.inf
    case.topics.follow(["CHAT", "NEWS"])
    case.now = 10.02
    case.subscriptions.step(case.now)  # the only word that it gets of them
    assert case.room.known == {"CHAT"}
    case.comes_when_due()
    assert case.now < 10.05
    assert case.room.known == {"CHAT", "NEWS"}


def test_a_second_connection_is_told_what_came_since_it_was_opened_and_no_more() -> None:
    case = Case("CHAT")
    case.want("OLD")
    second = case.opened()
    case.want("NEW")
    case.pass_s(1.0)
    case.joins(case.room, second)
    case.pass_s(1.0)
    assert case.room.known == second.known == {"CHAT", "NEW"}
    assert [topic for _, topic in second.words] == ["NEW", "OLD"]
    case.joins(second)
    case.pass_s(1.0)
    assert len(second.words) == 2


def test_a_connection_that_takes_nothing_holds_up_no_other_and_hears_later() -> None:
    case = Case()
    second = case.opened()
    case.joins(case.room, second)
    case.room.is_full = True
    case.want(*(str(number) for number in range(50)))
    case.pass_s(10.0)
    case.want("last", *(str(number) for number in range(50)))
    case.pass_s(10.0)
    assert len(second.known) == 51
    case.room.is_full = False
    case.pass_s(10.0)
    assert case.room.known == second.known


def test_nothing_is_due_once_every_connection_has_taken_every_word() -> None:
    case = Case("CHAT")
    case.comes_when_due()
    assert case.subscriptions.due_s == math.inf
    case.room.is_full = True
    case.want("A")
    case.pass_s(1.0)
    assert case.now < case.subscriptions.due_s <= case.now + 0.1
    case.room.is_full = False
    for _ in range(2):  # one tells it, the next sees that it was taken
        assert case.subscriptions.due_s <= case.now + 0.1
        case.comes_when_due()
    assert case.room.known == {"CHAT", "A"}
    assert case.subscriptions.due_s == math.inf


step = st.one_of(
    st.tuples(st.just("want"), st.sets(st.sampled_from("ABCDEF"))),
    st.tuples(st.just("configure"), st.sets(st.sampled_from("ABCDEF"))),
    st.tuples(st.sampled_from(["open", "accompany", "switch", "lose", "full"]), st.just(set[str]())),
)


@given(st.lists(st.tuples(step, st.integers(0, 5)), max_size=40))
def test_in_the_end_every_connection_knows_what_is_wanted(steps: list[tuple[tuple[str, set[str]], int]]) -> None:
    case = Case("A")
    opened = case.opened()
    for (what, topics), hundredths in steps:
        match what:
            case "want":
                case.want(*topics)
            case "configure":
                case.topics.follow(topics)
            case "open":
                opened = case.opened()
            case "accompany":
                case.joins(*case.rooms[:1], opened)
                opened = case.opened()  # none comes back
            case "switch":
                case.joins(*case.rooms[-1:])
            case "lose":
                case.joins()
            case _:
                for room in case.rooms[:1]:
                    room.is_full = not room.is_full
        case.pass_s(hundredths / 100)
    for room in case.rooms:
        room.is_full = False
    case.pass_s(1.0)
    assert all(room.known == set(case.topics.all()) for room in case.rooms)
