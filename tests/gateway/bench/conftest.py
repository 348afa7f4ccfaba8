"""The mock upstream as the measuring runs it: a process of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from gateway.bench.processes import Processes


@pytest.fixture(scope="module", params=[0, 1], ids=["at once", "paced"])
def upstream_port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a mock upstream whose streams come at once, or with a millisecond between events."""
    argv = [sys.executable, "-m", "gateway.bench.mock", "--gap", str(request.param)]
    with Processes(tmp_path_factory.mktemp("mock")) as processes:
        yield int(processes.printed("mock", processes.start("mock", argv, core=None)))
