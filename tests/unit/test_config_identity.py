"""Placeholders in the participant, and where this machine's names come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestd.config.faults import Refused
from ingestd.config.identity import Identity
from tests.unit.config_case import BACKEND, MACHINE_ID, ConfigCase


@pytest.fixture
def case(tmp_path: Path) -> ConfigCase:
    return ConfigCase(tmp_path)


def participant(text: str) -> str:
    return BACKEND + f"session:\n  participant:\n    {text}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${hostname}", "dev-12"),
        ("a-${hostname}-b-${hostname}", "a-dev-12-b-dev-12"),
        ("${machine_id}", MACHINE_ID),
        ("${serial}", "10000000abcdef01"),
        ("$${hostname}", "${hostname}"),
        ("$${", "${"),
        ("$$ 5 $", "$$ 5 $"),
        ("$hostname", "$hostname"),
    ],
)
def test_placeholders(case: ConfigCase, text: str, expected: str) -> None:
    config = case.load(participant(f"name: '{text}'"))
    assert config.session.participant.name == expected


def test_id_name_and_every_string_of_metadata_are_filled_in(case: ConfigCase) -> None:
    metadata = "{a: ['${serial}', 1, {b: '${hostname}'}], '${hostname}': null}"
    text = participant(f"{{id: '${{hostname}}', metadata: {metadata}}}")
    found = case.load(text).session.participant
    assert found.id == "dev-12"
    assert found.metadata == {"a": ["10000000abcdef01", 1, {"b": "dev-12"}], "${hostname}": None}


def test_what_is_filled_in_is_not_filled_in_again(case: ConfigCase) -> None:
    case.identity = Identity(lambda: "${serial}", case.directory / "none", ())
    assert (
        case.load(participant("{name: '${hostname}', metadata: {}}")).session.participant.name == "${serial}"
    )


def test_nothing_else_is_filled_in(case: ConfigCase) -> None:
    config = case.load(
        BACKEND + "session: {room_id: '${hostname}', agent: {id: '${nope}', metadata: {a: '${x}'}}}"
    )
    assert config.session.room_id == "${hostname}"
    assert config.session.agent is not None
    assert config.session.agent.id == "${nope}"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("${hostnam}", "did you mean ${hostname}?"),
        ("${HOSTNAME}", "did you mean ${hostname}?"),
        ("${machine-id}", "did you mean ${machine_id}?"),
        ("${qqq}", "there are ${hostname}, ${machine_id}, ${serial}"),
        ("${}", "there are ${hostname}, ${machine_id}, ${serial}"),
    ],
)
def test_an_unknown_placeholder_names_the_nearest(case: ConfigCase, text: str, advice: str) -> None:
    fault = case.fault(participant(f"name: 'x {text}'"))
    assert fault.startswith("ingestd.yaml:4: session.participant.name: has the unknown placeholder")
    assert advice in fault


def test_a_placeholder_without_its_end(case: ConfigCase) -> None:
    assert "has ${ without the } that ends it" in case.fault(participant("name: 'x ${hostname'"))


def test_faults_in_metadata_name_their_own_line(case: ConfigCase) -> None:
    text = participant("metadata:\n      a:\n        - ok\n        - ${nope}\n")
    assert case.fault(text).startswith("ingestd.yaml:7: session.participant.metadata.a[1]: has the unknown")


def test_placeholder_faults_come_with_all_others(case: ConfigCase) -> None:
    faults = case.faults("log: {level: x}\n" + participant("name: '${nope}'\n    id: 5"))
    assert [fault.split(": ")[1] for fault in faults] == [
        "log.level",
        "session.participant.name",
        "session.participant.id",
    ]


def test_a_broken_participant_does_not_hide_other_faults(case: ConfigCase) -> None:
    assert len(case.faults(BACKEND + "session: {participant: 5}\nlog: {level: x}\n")) == 2
    assert len(case.faults(BACKEND + "session: 5\nlog: {level: x}\n")) == 2


@pytest.mark.parametrize("content", [None, b"", b"uninitialized\n", b"0123\n", b"\xff\xfe"])
def test_no_machine_id_says_how_to_get_one(case: ConfigCase, content: bytes | None) -> None:
    path = case.directory / "machine-id"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    fault = case.fault(BACKEND)
    assert "session.participant.metadata.deviceId: has ${machine_id}, but " in fault
    assert "machine-id " in fault
    assert "; run systemd-machine-id-setup, or write the value out" in fault


def test_a_source_is_read_only_when_asked_for(case: ConfigCase) -> None:
    case.identity = Identity(lambda: 1 // 0 * "", case.directory / "none", (case.directory / "none",))
    case.load(participant("{name: N, metadata: {}}"))


def test_the_serial_falls_through_to_the_next_source(tmp_path: Path) -> None:
    junk, good = tmp_path / "junk", tmp_path / "good"
    junk.write_text("To Be Filled By O.E.M.\n")
    good.write_text("SN-1\n")
    assert Identity(serials=(tmp_path / "none", tmp_path, junk, good)).value("serial") == "SN-1"


def test_no_serial_says_what_was_tried(tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("None\n")
    with pytest.raises(Refused) as caught:
        Identity(serials=(tmp_path / "none", tmp_path / "junk")).value("serial")
    told = str(caught.value)
    assert f"{tmp_path}/none can't be read (no such file or directory)" in told
    assert f"{tmp_path}/junk holds no serial number" in told
    assert "; use ${machine_id}, or write the value out" in told


@pytest.mark.parametrize("name", ["", "(none)", "a\nb"])
def test_no_host_name_says_how_to_set_one(name: str) -> None:
    with pytest.raises(Refused, match="hostnamectl"):
        Identity(hostname=lambda: name).value("hostname")


def test_the_real_host_name_is_used_by_default() -> None:
    import socket

    assert Identity().value("hostname") == socket.gethostname()
