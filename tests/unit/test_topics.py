"""The topics this device listens to: they grow, up to a bound, and no reader sees them change."""

from __future__ import annotations

from ingestd.core.topics import MAX_TOPICS, TopicSet


def test_the_configurations_topics_in_their_order_and_once_each() -> None:
    assert TopicSet(["CHAT", "RELAY", "CHAT"]).all() == ("CHAT", "RELAY")
    assert TopicSet([]).all() == ()


def test_a_topic_asked_for_comes_last_and_once() -> None:
    topics = TopicSet(["CHAT"])
    assert topics.add("NEW")
    assert topics.add("NEW")
    assert topics.add("CHAT")
    assert topics.all() == ("CHAT", "NEW")


def test_topics_are_told_apart_to_the_letter() -> None:
    topics = TopicSet(["CHAT"])
    assert topics.add("chat")
    assert topics.add("CHAT ")
    assert len(topics.all()) == 3


def test_there_is_a_bound_and_what_is_known_stays_good() -> None:
    topics = TopicSet(str(number) for number in range(MAX_TOPICS - 1))
    assert topics.add("the last")
    full = topics.all()
    assert len(full) == MAX_TOPICS
    assert not topics.add("one more")
    assert topics.add("the last")
    assert topics.all() == full


def test_whoever_reads_keeps_what_was_there() -> None:
    topics = TopicSet(["CHAT"])
    before = topics.all()
    for number in range(3):
        topics.add(str(number))
    assert before == ("CHAT",)


def test_the_configuration_read_anew_tells_what_came_and_what_went() -> None:
    topics = TopicSet(["CHAT", "OLD", "KEPT"])
    topics.add("ASKED")
    topics.add("NEW")
    assert topics.follow(["CHAT", "NEW", "OTHER", "KEPT"]) == (["OTHER"], ["OLD"])
    assert set(topics.all()) == {"CHAT", "NEW", "OTHER", "KEPT", "ASKED"}
    assert topics.follow([]) == ([], ["CHAT", "OTHER", "KEPT"])
    assert topics.all() == ("ASKED", "NEW"), "what local programs asked for stays"
