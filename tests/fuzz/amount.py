"""How much is tried: `FUZZ=50 pytest tests/fuzz` tries fifty times as much as usual, and each time something else."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

from gateway.config import environment


def amount(usual: int) -> settings:
    """Make the settings of a test that usually tries so many examples."""
    times = int(environment().get("FUZZ", "1"))
    return settings(
        max_examples=usual * times,
        deadline=None,
        derandomize=times == 1,
        database=None,
        phases=[Phase.generate],  # what fails here is small enough, and shrinking it takes minutes
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
