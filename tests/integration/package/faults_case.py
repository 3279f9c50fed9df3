"""What is asked of an installed device while something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from ingestd.core.catalog import message_id
from tests.rig.booted_site import BootedSite
from tests.rig.process import wait_until

TOKEN_FILE: Final = "/etc/ingestd/token"
_TOLD_S: Final = 30.0


@contextmanager
def same_process(site: BootedSite) -> Iterator[None]:
    """What happens meanwhile is no end for the daemon."""
    before = site.machine.show("ingestd", "MainPID", "NRestarts")
    yield
    assert site.machine.show("ingestd", "MainPID", "NRestarts") == before


def refused(site: BootedSite, name: str, *told: str) -> dict[str, Any]:
    """It waits, by that fault: so says the status, which is returned, so says systemd, and the journal explains it."""

    def waits() -> dict[str, Any] | None:
        status, shown = site.wait_state("waiting"), site.shown()
        told = any(fault["name"] == name and not fault["over"] for fault in status["faults"])
        # Both of one wait: the first ones are short, and each refusal has an id of its own.
        same = shown.startswith("waiting: ") and status["reason"].startswith(shown.removeprefix("waiting: "))
        return status if told and same else None

    status = wait_until(waits, _TOLD_S, f"the fault {name}, waiting, in the status and in systemctl's")
    assert status is not None
    fault = next(fault for fault in status["faults"] if fault["name"] == name)
    assert fault["remedy"]
    assert site.machine.show("ingestd", "ActiveState")["ActiveState"] == "active"
    site.explained(message_id(name), *told)
    person = site.machine.run("ingestctl", "status")
    assert person.returncode == 4
    assert fault["remedy"] in " ".join(person.stdout.split())
    return status


def lost(site: BootedSite) -> set[str]:
    """The sound devices that are lost now."""
    status = site.status()
    assert status is not None
    return {name for name, device in status["devices"].items() if device["lost"]}
