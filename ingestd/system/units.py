"""What systemd knows of a service. Any thread; takes a few seconds at most."""

from __future__ import annotations

from ingestd.system.programs import output_of, systemd_runs


def properties_of(unit: str, names: str) -> dict[str, str] | None:
    """Those of `names` (with commas between) as systemd has them; None where it does not run here or not answer."""
    if not systemd_runs():
        return None
    shown = output_of("systemctl", "show", unit, f"--property={names}")
    if shown is None:
        return None
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
