"""A device in the field for the tests of a file; a file that prepares it otherwise has fixtures of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rig.booted_site import BootedSite, why_not


@pytest.fixture(scope="module")
def booted() -> Iterator[BootedSite]:
    """With the package, booted and on its way into the room."""
    if reason := why_not():
        pytest.skip(reason)
    with BootedSite() as site:
        site.install()
        site.machine.boot()
        yield site


@pytest.fixture
def site(booted: BootedSite) -> Iterator[BootedSite]:
    """In the room before and after; nobody restarted the service meanwhile, unless the test did."""
    booted.wait_state("streaming")
    booted.flows()
    booted.all_seen()
    yield booted
    booted.wait_state("streaming")
    booted.flows()
    assert booted.machine.show("ingestd", "ActiveState", "Result") == {"ActiveState": "active", "Result": "success"}


@pytest.fixture
def rested(site: BootedSite) -> BootedSite:
    """Begun anew: what ended sessions before makes no wait longer."""
    site.machine.systemctl("restart", "ingestd")
    site.fresh_frame_s()
    return site
