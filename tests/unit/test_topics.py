"""The topics this device listens to: the configuration's, and those that local programs ask for while they do."""

from __future__ import annotations

from ingestd.core.topics import MAX_TOPICS, TopicSet


def test_the_configurations_topics_in_their_order_and_once_each() -> None:
    assert TopicSet(["CHAT", "RELAY", "CHAT"]).all() == ("CHAT", "RELAY")
    assert TopicSet([]).all() == ()


def test_a_topic_asked_for_comes_last_and_goes_with_whoever_asked() -> None:
    topics = TopicSet(["CHAT"])
    topics.asked({"NEW", "CHAT"})
    assert topics.all() == ("CHAT", "NEW")
    topics.asked(())
    assert topics.all() == ("CHAT",), "the configuration's stays"


def test_topics_are_told_apart_to_the_letter() -> None:
    topics = TopicSet(["CHAT"])
    topics.asked(["chat", "CHAT "])
    assert topics.all() == ("CHAT", "CHAT ", "chat")


def test_there_is_a_bound_and_what_is_known_stays_good() -> None:
    topics = TopicSet(str(number) for number in range(MAX_TOPICS - 1))
    assert topics.has_room_for("the last")
    topics.asked(["the last"])
    assert not topics.has_room_for("one more")
    assert topics.has_room_for("the last")


def test_whoever_reads_keeps_what_was_there() -> None:
    topics = TopicSet(["CHAT"])
    before = topics.all()
    topics.asked(["A", "B"])
    assert before == ("CHAT",)


def test_the_configuration_read_anew_leaves_what_local_programs_asked_for() -> None:
    topics = TopicSet(["CHAT", "OLD", "KEPT"])
    topics.asked(["ASKED", "NEW"])
    topics.follow(["CHAT", "NEW", "OTHER", "KEPT"])
    assert topics.all() == ("CHAT", "NEW", "OTHER", "KEPT", "ASKED")
    topics.follow([])
    assert topics.all() == ("ASKED", "NEW")
