"""Names and ids of faults: one each, for ever."""

from __future__ import annotations

import re

import pytest

from ingestd.core import catalog
from ingestd.core.catalog import every_entry, every_fault, fields_of, message_id
from ingestd.core.remedies import advice
from tests.unit.test_remedies import ENDS, WHERE


def test_a_name_has_one_text() -> None:
    texts: dict[str, tuple[str, str]] = {}
    for name, *text in catalog._texts():
        assert texts.setdefault(name, (text[0], text[1])) == (text[0], text[1]), name
    assert len(texts) == len(every_fault()) > 60
    assert len({name for name, _, _ in every_entry()}) == len(every_entry()) > len(texts)


def test_names_are_fit_for_a_label_and_a_query() -> None:
    for name, _, _ in every_entry():
        assert re.fullmatch(r"[a-z][a-z0-9-]{1,39}", name)


def test_whatever_an_advice_is_about_has_its_place() -> None:
    known = {name for name, _, _ in every_fault()}
    named = {advice(error, WHERE).name for error in ENDS}
    assert named <= known
    assert len(named) > 50


@pytest.mark.parametrize(
    ("name", "ident"),
    [
        ("dns", "02a74b15114a5edbbcec4c578d756009"),
        ("closed-1008", "8093379d0f7a5424a667b0c545c674f0"),
        ("capture-lost", "1d835998fa8d53b3aa8f9a09a9da37af"),
    ],
)
def test_ids_never_change(name: str, ident: str) -> None:
    assert message_id(name) == ident


def test_ids_differ() -> None:
    assert len({message_id(name) for name, _, _ in every_entry()}) == len(every_entry())


def test_a_line_of_the_journal_tells_name_and_id() -> None:
    assert fields_of("dns") == {"FAULT": "dns", "MESSAGE_ID": "02a74b15114a5edbbcec4c578d756009"}


@pytest.mark.parametrize(
    ("device", "unfit", "name"),
    [
        ("capture", False, "capture-lost"),
        ("capture", True, "capture-unfit"),
        ("playback", False, "playback-lost"),
        ("playback", True, "playback-unfit"),
    ],
)
def test_devices_have_their_own(device: str, unfit: bool, name: str) -> None:
    assert catalog.device_fault(device, unfit=unfit) == name
