"""What every test may use: figures of the session, the virtual sound card, and who needs root."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.rig import netns
from tests.rig.figures import Figures
from tests.rig.sound import SoundRig

_FIGURES = pytest.StashKey[Figures]()

# None judges by the time that this machine takes: a neighbour may keep the processor from an example for seconds.
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A change is judged by what it does, not by what was drawn that day: who looks for more asks for the other.
settings.register_profile("repeatable", settings.get_profile("searching"), derandomize=True)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the file for the session's figures."""
    parser.addoption("--figures-json", metavar="FILE", help="write what tests measured, with its bounds")


def pytest_configure(config: pytest.Config) -> None:
    """Opens the session's figures; Ctrl-C ends what is started here, though a shell's background job ignores it."""
    config.stash[_FIGURES] = Figures()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what needs root where there is none; what measures runs alone unless it says why not."""
    for item in items:
        measures = "figures" in getattr(item, "fixturenames", ())
        beside = any(map(item.get_closest_marker, ("undisturbed", "waits", "calm")))
        if measures and not beside:
            item.add_marker(pytest.mark.alone)
    if sys.platform == "linux" and os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root on Linux"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes the figures; a missed bound fails the session even where a test let it pass.

    One of several processes tells them to the one that started it instead.
    """
    figures = session.config.stash[_FIGURES]
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["figures"] = figures.told()
        return
    if path := session.config.getoption("--figures-json"):
        figures.write(path)
    if not figures.met and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes the figures of a process of pytest-xdist that has ended; one that crashed has none."""
    node.config.stash[_FIGURES].take(getattr(node, "workeroutput", {}).get("figures", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Shows the figures to a person."""
    if config.stash[_FIGURES].values:
        terminalreporter.section("figures")
        terminalreporter.write_line(config.stash[_FIGURES].table())


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """The session's figures: `assert figures.add("name_unit", value, max=bound)`."""
    return pytestconfig.stash[_FIGURES]


@pytest.fixture(scope="module")
def own_network() -> Iterator[None]:
    """For tests that lay cables: a network apart for all that they start, as each cable is an event to who watches.

    Where none can be made, it is this machine's.
    """
    if netns.why_not():
        yield
        return
    with netns.Apart() as network, network.entered():
        yield


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> Iterator[SoundRig]:
    """A microphone and a speaker that this process and its children open through ALSA, by those names."""
    with SoundRig() as rig:
        for name, value in rig.env().items():
            monkeypatch.setenv(name, value)
        yield rig
