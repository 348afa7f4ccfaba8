"""Usage exports, read: figures in the ledger's words, and errors that say what is wrong where."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import GatewayError
from gateway.reconcile import read

EXPORTS = Path(__file__).parent / "exports"


def test_openai_usage_is_read_by_model() -> None:
    (export,) = read([EXPORTS / "openai_completions.json"], None, {})
    assert export.kind == "usage of completions"
    first, second = export.buckets
    assert (first.start, first.end, second.lines) == (1793491200, 1793577600, [])
    values = {"calls": 3, "prompt_tokens": 300, "completion_tokens": 60, "cached_read_tokens": 30}
    assert first.lines[0].model == "gpt-5-mini-2025-08-07"
    assert first.lines[0].values == values


def test_openai_costs_are_those_of_the_model_of_the_line_item() -> None:
    (export,) = read([EXPORTS / "openai_costs.json"], "openai", {})
    found = [(line.model, line.values["cost"]) for line in export.buckets[0].lines]
    assert found == [
        ("gpt-5-mini-2025-08-07", 75_000),
        ("gpt-5-mini-2025-08-07", 120_000),
        ("gpt-5-2025-08-07", 6_250_000),
    ]


def test_anthropic_counts_cached_tokens_beside_the_others() -> None:
    (export,) = read([EXPORTS / "anthropic_usage.json"], None, {})
    assert export.buckets[0].lines[0].values == {
        "prompt_tokens": 3200,
        "completion_tokens": 500,
        "cached_read_tokens": 200,
        "cached_write_tokens": 1500,
    }


def test_anthropic_tells_costs_in_cents() -> None:
    (export,) = read([EXPORTS / "anthropic_cost.json"], None, {})
    found = [(line.model, line.values) for line in export.buckets[0].lines]
    assert found == [
        ("claude-sonnet-4-5-20250929", {"cost": 4_500_000}),
        ("web_search", {"cost": 100_000_000}),
    ]


def test_pages_of_one_kind_become_one_export(tmp_path: Path) -> None:
    later = tmp_path / "later.json"
    text = (EXPORTS / "anthropic_usage.json").read_text()
    later.write_text(text.replace("11-02", "11-03").replace("11-01", "11-02"))
    (export,) = read([later, EXPORTS / "anthropic_usage.json"], None, {})
    assert [bucket.start for bucket in export.buckets] == [1793491200, 1793577600]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", "{", "a.json: not a page of OpenAI's usage or costs: Input data was truncated"),
        (
            "a.json",
            '{"data":[{"start_time":"x"}]}',
            r"Expected `int`, got `str` - at `\$.data\[0\].start_time`",
        ),
        ("a.json", '{"data":[]}', "a.json: holds no results; give one kind a file"),
        (
            "a.json",
            '{"data":[{"start_time":0,"end_time":86400,"results":[{"object":"organization.usage.file_searches.result"}]}]}',
            "the ledger has nothing to compare with 'organization.usage.file_searches.result'",
        ),
        (
            "a.json",
            (
                '{"data":[{"start_time":0,"end_time":604800,"results":'
                '[{"object":"organization.costs.result","amount":{"value":1,"currency":"usd"}}]}]}'
            ),
            "export days of UTC",
        ),
        (
            "a.json",
            (
                '{"data":[{"start_time":0,"end_time":86400,"results":'
                '[{"object":"organization.costs.result","amount":{"value":1,"currency":"eur"}}]}]}'
            ),
            "amounts are in eur",
        ),
        ("a.csv", "model,cost\nm,1\n", "a.csv: has no column for time. It has: model, cost."),
        ("a.csv", "time,cost\nyesterday,1\n", "a.csv, line 2: 'yesterday' is not a time"),
        (
            "a.csv",
            "time,cost\n1,1\n1795348800000,1\n",
            "a.csv, line 3: the time 1795348800000 is not between",
        ),
        (
            "a.json",
            (
                '{"data":[{"start_time":1795348800000,"end_time":1795348886400,"results":'
                '[{"object":"organization.costs.result","amount":{"value":1,"currency":"usd"}}]}]}'
            ),
            "Unix times are in seconds",
        ),
        ("a.csv", "time,cost\n2026-11-01,much\n", "a.csv, line 2: cost: 'much' is not a number"),
        ("a.csv", "time,cost\n2026-11-01,1\n2026-11-01,NaN\n", "a.csv, line 3: NaN is no amount of money"),
        ("a.csv", "time,model\n2026-11-01,m\n", "has no column to compare"),
        ("a.csv", "time,cost\n", "a.csv: has no lines"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(GatewayError, match=problem):
        read([tmp_path / name], None, {})


def test_a_column_that_is_named_must_be_there() -> None:
    with pytest.raises(GatewayError, match="has no column for time=when"):
        read([EXPORTS / "requests.csv"], None, {"time": "when"})


def test_a_day_is_told_once() -> None:
    path = EXPORTS / "anthropic_cost.json"
    with pytest.raises(GatewayError, match="tells of 2026-11-01 what another file has told already"):
        read([path, path], None, {})
