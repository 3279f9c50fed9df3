"""pytest fixtures for `ingestctl setup`: `pytest_plugins = ("tests.integration.setup_fixtures",)`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.setup_case import Site
from tests.rig.busy_pcm import OtherProgram
from tests.rig.fixed_pcm import FixedHardware
from tests.standin.client import StandIn


@pytest.fixture(scope="session")
def setup_room() -> Iterator[StandIn]:
    """Rooms over TLS; any other is unknown, as 404."""
    with StandIn(tls=True, known_rooms=["lobby", "gate", "abcd-efgh-ijkl"], unknown_room_status=404) as running:
        yield running


@pytest.fixture(scope="session")
def setup_alsa(tmp_path_factory: pytest.TempPathFactory) -> FixedHardware:
    """Devices `mic` and `speaker`, and `busy`, which another program has."""
    folder = tmp_path_factory.mktemp("alsa")
    hardware = FixedHardware(folder)
    for name in ("mic", "speaker"):
        hardware.add(name, channels=1)
    other = OtherProgram(folder)
    with hardware.settings.open("a") as settings:
        settings.write('pcm.mic.hint { show on description "The microphone" }\n')
        settings.write(other.alsa_definition(busy="mic"))
    other.hold()
    return hardware


@pytest.fixture
def site(tmp_path: Path, setup_room: StandIn, setup_alsa: FixedHardware) -> Site:
    """A device that is yet to be set up."""
    return Site(tmp_path, setup_room, setup_alsa)
