"""What holds for all unit tests: none judges by the time that this machine takes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A neighbour may keep the processor from an example for seconds.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
