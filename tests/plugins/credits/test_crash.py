"""`kill -9` of a gateway under load: when it runs again, nothing is held, and what was captured is what calls cost."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.mark.slow
async def test_the_books_are_right_after_kill_9(tmp_path: Path) -> None:
    path = Path(__file__).parents[3] / "benchmarks" / "credits.py"
    spec = importlib.util.spec_from_file_location("credits_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    await benchmark.kill(tmp_path, "sqlite:///gateway.db", 1, 2)
