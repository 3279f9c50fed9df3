"""What every test may use: figures of the session, the virtual sound card, and who needs root."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from tests.rig.figures import Figures
from tests.rig.sound import SoundRig

_FIGURES = pytest.StashKey[Figures]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the file for the session's figures."""
    parser.addoption("--figures-json", metavar="FILE", help="write what tests measured, with its bounds")


def pytest_configure(config: pytest.Config) -> None:
    """Opens the session's figures."""
    config.stash[_FIGURES] = Figures()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what needs root where there is none."""
    if sys.platform == "linux" and os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root on Linux"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the figures; a missed bound fails the session even where a test let it pass."""
    figures = session.config.stash[_FIGURES]
    if path := session.config.getoption("--figures-json"):
        figures.write(path)
    if not figures.met and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Shows the figures to a person."""
    if config.stash[_FIGURES].values:
        terminalreporter.section("figures")
        terminalreporter.write_line(config.stash[_FIGURES].table())


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """The session's figures: `assert figures.add("name_unit", value, max=bound)`."""
    return pytestconfig.stash[_FIGURES]


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundRig]:
    """A microphone and a speaker that this process and its children open through ALSA, by those names."""
    with SoundRig() as rig:
        for name, value in rig.env().items():
            monkeypatch.setenv(name, value)
        yield rig
