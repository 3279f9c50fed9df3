"""The page's section Messaging, rule by rule, through the control socket of a daemon in a room of the stand-in."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ingestd.control.client import ControlClient
from ingestd.control.protocol import INVALID_PARAMS, UNAVAILABLE, RpcError
from tests.rig.figures import Figures
from tests.rig.memory_device import MemoryDevice, device_config
from tests.rig.pipelined import Pipelined
from tests.rig.process import wait_until
from tests.standin.client import SocketFault, StandIn, TopicMessage
from tests.unit.peers import Task

GUARD_S = 30.0
WAITS_S = 60.0
"""How long a message waits for the room here: no machine is as slow. 30 s in the field,"""
SOON_S = 6.0
"""and where it is to be thrown away."""
WAITING = 64
MOST_BYTES = 8192


class Listener:
    """A local program that hears topics."""

    def __init__(self, socket: Path, *topics: str) -> None:
        self.client = ControlClient(socket, GUARD_S)
        for topic in topics:
            self.client.call("subscribe", topic=topic)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_error: object) -> None:
        self.client.close()

    def message(self, timeout_s: float = GUARD_S) -> dict[str, Any]:
        """The next message."""
        while True:
            news = self.client.notification(timeout_s)
            if news["method"] == "message":
                params: dict[str, Any] = news["params"]
                return params

    def until(self, last: str) -> list[str]:
        """The texts up to `last`, which is left out."""
        texts: list[str] = []
        while (text := self.message()["text"]) != last:
            texts.append(text)
        return texts


@dataclass
class Scene:
    """A device in a room, and Alice."""

    room: StandIn
    device: MemoryDevice
    alice: str

    def publish(self, topic: str, data: Any, **params: Any) -> Any:
        """By the device; what the daemon answered. Raises RpcError."""
        with ControlClient(self.device.socket, GUARD_S) as client:
            return client.call("publish", topic=topic, data=data, **params)

    def refusal(self, method: str, **params: Any) -> RpcError:
        """What the daemon answers instead of doing it."""
        with Pipelined(self.device.socket) as client:
            error = client.answer(client.ask(method, **params))["error"]
        return RpcError(error["code"], error["message"])

    def frames(self) -> list[str]:
        """Topic frames as they came over the present connection, the latest."""
        return self.room.connection().topic_texts

    def wait_frame(self, frame: str) -> None:
        wait_until(lambda: frame in self.frames(), GUARD_S, frame)

    def subscribed(self, topic: str) -> None:
        """Waits until the room knows that the device wants it."""
        self.wait_frame(f'{{"event":"subscribe","topic":{json.dumps(topic, ensure_ascii=False)}}}')

    def messages(self, person: str, number: int) -> list[TopicMessage]:
        """What a person has received, once it is that many."""
        wait_until(lambda: len(self.room.messages(person)) >= number, GUARD_S, f"{number} messages")
        return self.room.messages(person)

    def epoch(self) -> int:
        return int(self.device.status()["session"]["epoch"])

    def in_the_room(self, epoch: int) -> bool:
        status = self.device.status()
        return bool(status["state"] == "streaming" and status["session"]["epoch"] >= epoch)

    def wait_in_the_room(self, epoch: int) -> None:
        wait_until(lambda: self.in_the_room(epoch), GUARD_S, f"streaming in epoch {epoch}")

    def lose_the_connection(self) -> None:
        """And have the next."""
        epoch = self.epoch()
        self.room.inject(SocketFault("abort"))
        self.wait_in_the_room(epoch + 1)

    def renew(self) -> None:
        epoch = self.epoch()
        with ControlClient(self.device.socket, GUARD_S) as client:
            client.call("reconnect")
        self.wait_in_the_room(epoch + 1)
        wait_until(lambda: len(self.room.state()["open_connections"]) == 1, GUARD_S, "the end of the session before")

    def leave(self) -> None:
        """The device hangs up."""
        with ControlClient(self.device.socket, GUARD_S) as client:
            client.call("hangup")
        wait_until(lambda: self.device.status()["state"] == "standby", GUARD_S, "the end of the call")

    def come_back(self) -> None:
        with ControlClient(self.device.socket, GUARD_S) as client:
            client.call("call")


@contextlib.contextmanager
def in_a_room(directory: Path, waits_s: float) -> Iterator[Scene]:
    """A room and a device of its own there, whose messages wait for so long; nobody else."""
    with StandIn(tls=True, same_participant_id="keep") as room:
        config = device_config(room.base_url, room.token, room.ca_file, directory)
        config["messaging"] = {"subscribe": ["CONFIGURED"]}
        with MemoryDevice(directory, config, times={"message_waits_s": waits_s, "reconnect_every_s": 0.0}) as device:
            room.wait_joined()
            yield Scene(room, device, "")
            assert device.status()["control"]["missed"] == 0
            assert device.stop()["exit"] == 0
            assert "please report this" not in device.log


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with in_a_room(tmp_path_factory.mktemp("messaging"), WAITS_S) as scene:
        yield scene


@pytest.fixture
def scene(shared: Scene) -> Iterator[Scene]:
    """With the switches as they were, and an Alice of this test's own."""
    shared.room.reset()
    shared.alice = shared.room.add(f"Alice {uuid.uuid4()}", recording=False)
    wait_until(lambda: shared.in_the_room(1), GUARD_S, "the device in the room")
    yield shared
    shared.room.remove(shared.alice)
    shared.room.reset()


# --- subscribe, publish, receive ------------------------------------------------------------------------------------


def test_a_subscribe_frame_starts_receiving_messages_on_a_topic(scene: Scene) -> None:
    with Listener(scene.device.socket, "FIRST") as listener:
        scene.subscribed("FIRST")
        assert scene.frames()[-1] == '{"event":"subscribe","topic":"FIRST"}'
        scene.room.publish(scene.alice, "OTHER", "not for the device")
        scene.room.publish(scene.alice, "FIRST", "Hello everyone")
        assert listener.message()["text"] == "Hello everyone"
    scene.wait_frame('{"event":"unsubscribe","topic":"FIRST"}')  # else it may come among the next test's frames


def test_a_published_message_reaches_every_subscribed_participant_of_the_meeting(scene: Scene) -> None:
    bob, carol = scene.room.add("Bob"), scene.room.add("Carol")
    scene.room.subscribe(scene.alice, "CHAT")
    scene.room.subscribe(bob, "CHAT")
    assert scene.publish("CHAT", "Hello everyone")["sent"] is True
    scene.wait_frame('{"event":"message","topic":"CHAT","data":"Hello everyone"}')
    assert scene.frames()[-1] == '{"event":"message","topic":"CHAT","data":"Hello everyone"}'
    for person in (scene.alice, bob):
        assert [said.message for said in scene.messages(person, 1)] == ["Hello everyone"]
        assert scene.room.messages(person)[0].sender_id == "device"
    assert scene.room.messages(carol) == [], "not subscribed"
    for person in (bob, carol):
        scene.room.remove(person)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Hello", "Hello"),
        ("", ""),
        ('{"a": 1}', '{"a": 1}'),
        ({"a": [1, 2.5, None, True], "ü": {}}, '{"a":[1,2.5,null,true],"ü":{}}'),
        (["日本", "😀"], '["日本","😀"]'),
        (7, "7"),
        (False, "false"),
        (None, "null"),
        ({}, "{}"),
    ],
    ids=str,
)
def test_a_string_goes_as_it_is_and_any_other_json_value_arrives_serialised_as_a_string(
    scene: Scene, data: Any, text: str
) -> None:
    scene.room.subscribe(scene.alice, "CHAT")
    scene.publish("CHAT", data)
    assert [said.message for said in scene.messages(scene.alice, 1)] == [text]


def test_json_goes_over_the_wire_compactly_and_not_ascii_escaped(scene: Scene) -> None:
    scene.publish("GRÜẞE", {"a": [1, "é😀"], "b": "\u2028"})
    scene.wait_frame('{"event":"message","topic":"GRÜẞE","data":{"a":[1,"é😀"],"b":"\u2028"}}')


def test_the_device_never_receives_its_own_messages_back(scene: Scene) -> None:
    with Listener(scene.device.socket, "ECHO") as listener:
        scene.subscribed("ECHO")
        scene.publish("ECHO", "mine")
        scene.room.publish(scene.alice, "ECHO", "last")
        assert listener.until("last") == []


def test_nor_does_it_where_a_history_brings_them(scene: Scene) -> None:
    scene.room.configure(replay_history=True, replay_own=True)
    with Listener(scene.device.socket, "ECHO-2") as listener:
        scene.subscribed("ECHO-2")
        scene.publish("ECHO-2", "mine")
        scene.lose_the_connection()
        scene.subscribed("ECHO-2")
        scene.room.publish(scene.alice, "ECHO-2", "last")
        assert listener.until("last") == []


def test_a_received_message_names_its_sender_its_time_and_its_id(scene: Scene) -> None:
    with Listener(scene.device.socket, "FIELDS") as listener:
        scene.subscribed("FIELDS")
        said = scene.room.publish(scene.alice, "FIELDS", "Hello everyone")
        heard = listener.message()
    assert heard == {
        "topic": "FIELDS",
        "text": "Hello everyone",
        "sender_id": scene.alice,
        "sender_name": said.sender_name,
        "timestamp": said.timestamp,
        "id": said.id,
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", heard["timestamp"])


def test_unsubscribe_stops_the_messages_of_a_topic(scene: Scene) -> None:
    with Listener(scene.device.socket, "GONE", "STAYS") as listener:
        scene.subscribed("STAYS")
        scene.room.publish(scene.alice, "GONE", "before")
        listener.client.call("unsubscribe", topic="GONE")
        scene.wait_frame('{"event":"unsubscribe","topic":"GONE"}')
        scene.room.publish(scene.alice, "GONE", "after")
        scene.room.publish(scene.alice, "STAYS", "last")
        assert listener.until("last") in ([], ["before"])


def test_a_topic_is_kept_while_anybody_listens_to_it(scene: Scene) -> None:
    with Listener(scene.device.socket, "BOTH") as listener:
        with Listener(scene.device.socket, "BOTH", "MARK"):
            scene.subscribed("MARK")
        scene.wait_frame('{"event":"unsubscribe","topic":"MARK"}')
        scene.room.publish(scene.alice, "BOTH", "last")
        assert listener.until("last") == []
    scene.wait_frame('{"event":"unsubscribe","topic":"BOTH"}')


def test_messages_are_scoped_to_the_room(scene: Scene) -> None:
    dave = scene.room.add("Dave", room="another-room")
    scene.room.subscribe(dave, "SCOPE")
    scene.room.subscribe(scene.alice, "SCOPE")
    with Listener(scene.device.socket, "SCOPE") as listener:
        scene.subscribed("SCOPE")
        scene.room.publish(dave, "SCOPE", "from elsewhere")
        scene.publish("SCOPE", "from the device")
        scene.room.publish(scene.alice, "SCOPE", "last")
        assert listener.until("last") == []
    assert [said.message for said in scene.messages(scene.alice, 1)] == ["from the device"]
    assert scene.room.messages(dave) == []


def test_published_messages_are_persisted_to_the_meetings_history(scene: Scene) -> None:
    for number in range(3):
        scene.publish("KEPT", {"number": number})
    wait_until(lambda: len(scene.room.look(topic="KEPT").history) == 3, GUARD_S, "the history")
    history = scene.room.look(topic="KEPT").history
    assert [said.message for said in history] == ['{"number":0}', '{"number":1}', '{"number":2}']


def test_subscribing_and_publishing_before_the_session_has_joined_is_queued_and_flushed_once_it_has(
    scene: Scene,
) -> None:
    scene.room.subscribe(scene.alice, "EARLY")
    scene.room.configure(join_delay_s=5.0)
    scene.lose_the_connection()
    with Listener(scene.device.socket, "EARLY") as listener:
        answers = [scene.publish("EARLY", number) for number in range(3)]
        assert not scene.device.status()["session"]["joined"]
        assert scene.room.messages(scene.alice) == []
        assert all(answer["sent"] for answer in answers)
        assert [said.message for said in scene.messages(scene.alice, 3)] == ["0", "1", "2"]
        scene.subscribed("EARLY")  # a word of its own: it may come behind them
        scene.room.publish(scene.alice, "EARLY", "last")
        assert listener.until("last") == []


# --- topic and payload rules ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic",
    ["T", "x" * 128, "😀" * 128, "e\u0301" * 64, '\0"\\\u2028\x1b', " "],
    ids=["one", "128", "128 emoji", "128 combining", "control characters", "blank"],
)
def test_a_topic_is_any_text_of_1_to_128_characters(scene: Scene, topic: str) -> None:
    scene.room.subscribe(scene.alice, topic)
    refused = scene.room.connection().counts["bad_topic"]
    with Listener(scene.device.socket, topic) as listener:
        scene.publish(topic, "there")
        assert [said.topic for said in scene.messages(scene.alice, 1)] == [topic]
        scene.subscribed(topic)
        scene.room.publish(scene.alice, topic, "last")
        assert listener.until("last") == []
    assert scene.room.connection().counts["bad_topic"] == refused


@pytest.mark.parametrize(
    "topic",
    ["", "x" * 129, "😀" * 129, "\ud800", 7, None],
    ids=["empty", "129", "129 emoji", "half a surrogate pair", "a number", "null"],
)
@pytest.mark.parametrize("method", ["publish", "subscribe", "unsubscribe"])
def test_any_other_topic_is_refused_before_sending(scene: Scene, method: str, topic: Any) -> None:
    refused = scene.room.connection().counts["bad_topic"]
    refusal = scene.refusal(method, topic=topic, **({"data": "x"} if method == "publish" else {}))
    assert refusal.code == INVALID_PARAMS
    assert "1 to 128 characters" in str(refusal) or "surrogate" in str(refusal)
    mark = str(uuid.uuid4())
    scene.publish("MARK", mark)
    scene.wait_frame(f'{{"event":"message","topic":"MARK","data":"{mark}"}}')
    assert scene.room.connection().counts["bad_topic"] == refused


@pytest.mark.parametrize("char", ["x", "ü", "日", "😀", "\0", '"', "\u2028"], ids=ascii)
@pytest.mark.parametrize("as_json", [False, True])
def test_a_payload_has_up_to_8192_bytes_of_utf_8_as_delivered(scene: Scene, char: str, as_json: bool) -> None:
    """A string as it is, any other value as it is once serialised, escapes and brackets included."""
    scene.room.subscribe(scene.alice, "SIZE")
    each = len(json.dumps(char, ensure_ascii=False).encode()) - 2 if as_json else len(char.encode())
    count, rest = divmod(MOST_BYTES - (4 if as_json else 0), each)
    text = char * count + "." * rest
    data: Any = [text] if as_json else text
    scene.publish("SIZE", data)
    (said,) = scene.messages(scene.alice, 1)
    assert len(said.message.encode()) == MOST_BYTES
    assert said.message == (json.dumps(data, ensure_ascii=False, separators=(",", ":")) if as_json else text)
    more: Any = [text + "."] if as_json else text + "."
    refusal = scene.refusal("publish", topic="SIZE", data=more)
    assert (refusal.code, str(refusal)) == (INVALID_PARAMS, "data is 8193 bytes; 8192 is the most")
    scene.publish("SIZE", "last")
    assert [said.message for said in scene.messages(scene.alice, 2)][1] == "last", "and nothing of it went out"


AWKWARD = "".join(map(chr, range(32))) + '\x7f"\\/\u0085\u2028\u2029\ufeff\ufffd\U0010ffff'


def test_control_characters_quotes_and_separators_pass_both_ways_unchanged(scene: Scene) -> None:
    scene.room.subscribe(scene.alice, "AWKWARD")
    with Listener(scene.device.socket, "AWKWARD") as listener:
        scene.subscribed("AWKWARD")
        scene.publish("AWKWARD", AWKWARD)
        assert scene.messages(scene.alice, 1)[0].message == AWKWARD
        scene.room.publish(scene.alice, "AWKWARD", AWKWARD)
        assert listener.message()["text"] == AWKWARD


def test_half_a_surrogate_pair_is_refused_and_one_that_comes_in_is_replaced(scene: Scene) -> None:
    for data in ("\ud800", {"a": ["\udfff"]}, {"\ud800": 1}):
        assert scene.refusal("publish", topic="T", data=data).code == INVALID_PARAMS
    with Listener(scene.device.socket, "HALF") as listener:
        scene.subscribed("HALF")
        scene.room.publish(scene.alice, "HALF", "a\ud800b")
        assert listener.message()["text"] == "a?b"


# --- best-effort, independent of the audio --------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["silent", "error"])
def test_a_failed_subscribe_or_publish_never_drops_the_call(scene: Scene, failing: str) -> None:
    scene.room.configure(topic_limit_chars=0, failed_topic=failing)
    epoch = scene.epoch()
    before = scene.room.connection().counts["bad_topic"]
    with Listener(scene.device.socket, "REFUSED"):
        assert scene.publish("REFUSED", "x")["sent"] is True
        wait_until(lambda: scene.room.connection().counts["bad_topic"] >= before + 2, GUARD_S, "both refusals")
        frames = scene.device.status()["uplink"]["frames"]
        wait_until(lambda: scene.device.status()["uplink"]["frames"] > frames + 10, GUARD_S, "audio goes on")
        assert (scene.epoch(), scene.device.status()["state"]) == (epoch, "streaming")


def test_a_service_that_closes_over_a_message_against_its_word_has_the_device_back_and_the_message_not_again(
    scene: Scene,
) -> None:
    scene.room.configure(message_limit_bytes=0, failed_topic="close")
    epoch = scene.epoch()
    scene.publish("CLOSES", "x")
    scene.wait_in_the_room(epoch + 1)
    assert scene.room.connection().counts["message_too_large"] == 0
    assert scene.epoch() == epoch + 1


# --- over connections -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["reconnect", "renewal"])
def test_topics_survive_connections_those_of_the_configuration_and_those_of_local_programs(
    scene: Scene, how: str
) -> None:
    with Listener(scene.device.socket, "CONFIGURED", "ASKED", "DROPPED") as listener:
        scene.subscribed("DROPPED")
        listener.client.call("unsubscribe", topic="DROPPED")
        scene.lose_the_connection() if how == "reconnect" else scene.renew()
        scene.subscribed("ASKED")
        assert '{"event":"subscribe","topic":"DROPPED"}' not in scene.frames()
        for topic in ("CONFIGURED", "ASKED", "DROPPED"):
            scene.room.publish(scene.alice, topic, topic)
        scene.room.publish(scene.alice, "ASKED", "last")
        assert listener.until("last") == ["CONFIGURED", "ASKED"]


@pytest.mark.parametrize("how", ["reconnect", "renewal"])
def test_a_history_of_thousands_replayed_after_subscribing_again_is_recognised_by_id(scene: Scene, how: str) -> None:
    topic = f"HISTORY-{how}"
    with Listener(scene.device.socket, topic) as listener:
        scene.subscribed(topic)
        scene.room.flood(scene.alice, topic, 3000)
        assert [int(listener.message()["text"]) for _ in range(3000)] == list(range(3000))
        scene.room.configure(replay_history=True)
        scene.lose_the_connection() if how == "reconnect" else scene.renew()
        scene.subscribed(topic)
        scene.room.publish(scene.alice, topic, "last")
        assert listener.until("last") == []


def test_what_a_history_has_of_the_time_away_is_new(scene: Scene) -> None:
    scene.room.configure(replay_history=True)
    with Listener(scene.device.socket, "AWAY") as listener:
        scene.subscribed("AWAY")
        scene.room.publish(scene.alice, "AWAY", "before")
        assert listener.message()["text"] == "before"
        scene.leave()
        scene.room.publish(scene.alice, "AWAY", "meanwhile")
        scene.come_back()
        assert listener.message()["text"] == "meanwhile"


def test_messages_published_while_away_wait_and_go_out_in_order_the_65th_is_refused(scene: Scene) -> None:
    scene.room.subscribe(scene.alice, "WAIT")
    scene.leave()
    with contextlib.ExitStack() as stack:
        asked: list[tuple[Pipelined, int]] = []
        while len(asked) < WAITING:
            client = stack.enter_context(Pipelined(scene.device.socket))
            asked += [(client, client.ask("publish", topic="WAIT", data=str(len(asked) + n))) for n in range(16)]
            waiting = len(asked)
            wait_until(lambda: scene.device.status()["messaging"]["waiting"] == waiting, GUARD_S, f"{waiting}")  # noqa: B023
        refusal = scene.refusal("publish", topic="WAIT", data="one too many")
        assert refusal.code == UNAVAILABLE
        assert "64 messages wait to be sent already" in str(refusal)
        scene.come_back()
        assert all(client.answer(request_id)["result"]["sent"] for client, request_id in asked)
    assert [said.message for said in scene.messages(scene.alice, WAITING)] == [str(n) for n in range(WAITING)]


def test_a_message_that_has_waited_for_too_long_is_thrown_away_and_its_publisher_told(tmp_path: Path) -> None:
    with in_a_room(tmp_path, SOON_S) as scene:
        alice = scene.room.add("Alice")
        scene.room.subscribe(alice, "LATE")
        scene.wait_in_the_room(1)
        scene.leave()
        with Pipelined(scene.device.socket) as client:
            long = client.ask("publish", topic="LATE", data="after the time the device gives it")
            short = client.ask("publish", topic="LATE", data="after the time its publisher gives it", wait_s=0.1)
            errors = [client.answer(request_id)["error"] for request_id in (short, long)]
        assert {error["code"] for error in errors} == {UNAVAILABLE}
        found = [re.search(r"waited ([\d.]+) s for the room and was thrown away", error["message"]) for error in errors]
        waited_s = [float(told[1]) for told in found if told]
        assert 0.1 <= waited_s[0] < SOON_S <= waited_s[1]
        scene.come_back()
        scene.wait_in_the_room(scene.epoch())
        scene.publish("LATE", "last")
        assert [said.message for said in scene.messages(alice, 1)] == ["last"]


# --- many of them ---------------------------------------------------------------------------------------------------


@pytest.mark.undisturbed
def test_ten_thousand_messages_come_in_order_at_full_speed(scene: Scene, figures: Figures) -> None:
    with Listener(scene.device.socket, "MANY") as listener:
        scene.subscribed("MANY")
        scene.room.flood(scene.alice, "MANY", 10_000, size_bytes=300)
        heard = [int(listener.message()["text"].split()[0]) for _ in range(10_000)]
    status = scene.device.status()
    lost = 10_000 - len(set(heard))
    assert figures.add("messages_in_lost_of_10000", lost, max=0)
    assert heard == list(range(10_000))
    assert (status["messaging"]["discarded"], status["control"]["missed"], status["control"]["cut_off"]) == (0, 0, 0)


@pytest.mark.undisturbed
def test_a_thousand_messages_go_out_in_order_while_sessions_are_renewed_each_exactly_once(
    scene: Scene, figures: Figures
) -> None:
    _publish_in_order(scene, figures, 1000, renewals=3)


@pytest.mark.full
@pytest.mark.timeout(400)
def test_ten_thousand_messages_go_out_in_order(scene: Scene, figures: Figures) -> None:
    _publish_in_order(scene, figures, 10_000, renewals=10)


def _publish_in_order(scene: Scene, figures: Figures, count: int, renewals: int) -> None:
    scene.room.subscribe(scene.alice, "OUT")
    texts = [str(number) for number in range(count)]

    def publish() -> list[dict[str, Any]]:
        with Pipelined(scene.device.socket, 60.0) as client:
            return client.publish_all("OUT", texts)

    publishing = Task(publish)
    for number in range(renewals):
        wait_until(lambda: len(scene.room.messages(scene.alice)) > number * count / renewals, 60, "more", every=0.5)  # noqa: B023
        scene.renew()
    answers = publishing.result(count / 50 + 60)
    assert all(answer["result"]["sent"] for answer in answers)
    heard = [said.message for said in scene.messages(scene.alice, count)]
    assert figures.add(f"messages_out_lost_of_{count}", count - len(set(heard)), max=0)
    assert heard == texts
