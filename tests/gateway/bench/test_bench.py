"""`gateway bench` from end to end, briefly: that the figures are there, not what they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.bench.system import LINUX
from gateway.cli import main

BRIEF = ["bench", "--seconds", "0.2", "--rounds", "1", "--connections", "4", "--rate", "50"]
CONFIG = """
[gateway]
database = "sqlite:///real.db"
[auth.apikey]
[middleware.ratelimit]
requests_per_minute = 1
[middleware.metrics]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "plugins.toml"
    file.write_text(CONFIG)
    return file


@pytest.mark.slow
def test_measures_the_config_and_leaves_nothing_behind(config: Path):
    result = CliRunner().invoke(main, ["-c", str(config), *BRIEF, "--json"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    figures = record["figures"]
    assert figures["bad"]["max"] == figures["bad_streams"]["max"] == 0
    names = {"requests_per_second", "added_p50_us", "added_p99_us", "ready_seconds"}
    if LINUX:
        names |= {"cpu_us_per_request", "cpu_us_per_chunk", "memory_mb_at_start", "memory_mb_after"}
    assert names <= set(figures)
    assert any("limits are lifted" in note for note in record["notes"])
    assert list(config.parent.iterdir()) == [config]


@pytest.mark.slow
def test_prints_a_table(config: Path):
    result = CliRunner().invoke(main, ["-c", str(config), *BRIEF, "--no-stream"])
    assert result.exit_code == 0, result.output
    assert "CPU per request" in result.stdout
    assert "added latency at 50/s, p99" in result.stdout
    assert "failed calls" in result.stdout


def test_a_gateway_that_does_not_start_is_shown_with_its_reason(tmp_path: Path):
    config = tmp_path / "plugins.toml"
    config.write_text("[middleware.metrics]\npaht = '/m'\n")
    result = CliRunner().invoke(main, ["-c", str(config), *BRIEF])
    assert result.exit_code != 0
    assert "paht" in result.output


def test_a_config_that_is_not_there(tmp_path: Path):
    result = CliRunner().invoke(main, ["-c", str(tmp_path / "none.toml"), *BRIEF])
    assert result.exit_code == 2
    assert "none.toml" in result.output
