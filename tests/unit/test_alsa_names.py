"""Names of ALSA devices: through ALSA's conversion, and to their mixers."""

from __future__ import annotations

import pytest

from ingestd.audio.alsa_names import mixers_of, through_plug


@pytest.mark.parametrize(
    ("device", "converted"),
    [
        ("hw:1", "plughw:1"),
        ("hw:CARD=Mic,DEV=0", "plughw:CARD=Mic,DEV=0"),
        ("plughw:1,0", None),
        ("plug:'dsnoop:1'", None),
        ("default", "plug:'default'"),
        ("dsnoop:CARD=Mic,DEV=0", "plug:'dsnoop:CARD=Mic,DEV=0'"),
        ("it's", r"plug:'it\'s'"),
        ("back\\slash", r"plug:'back\\slash'"),
    ],
)
def test_a_device_is_converted_once(device: str, converted: str | None) -> None:
    assert through_plug(device) == converted


@pytest.mark.parametrize(
    ("device", "mixers"),
    [
        ("hw:CARD=X,DEV=0", ("hw:X",)),
        ("hw:X", ("hw:X",)),
        ("plughw:X,0", ("hw:X",)),
        ("plughw:1", ("hw:1",)),
        ("plug:'hw:X'", ("hw:X",)),
        ("plug:'hw:CARD=X'", ("hw:X",)),
        ('plug:SLAVE="hw:X,1"', ("hw:X",)),
        ("plug:hw:X", ("hw:X",)),
        ("sysdefault:CARD=X", ("hw:X",)),
        ("dsnoop:CARD=X,DEV=0", ("hw:X",)),
        ("mic", ("mic", "default")),
        ("plug:mic", ("mic", "default")),
        ("plug:'mic'", ("mic", "default")),
        ("default", ("default",)),
    ],
)
def test_the_mixer_is_that_of_the_card(device: str, mixers: tuple[str, ...]) -> None:
    assert mixers_of(device) == mixers
