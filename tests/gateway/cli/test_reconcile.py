"""`gateway reconcile`, on a ledger whose gateway is down."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

EXPORTS = Path(__file__).parent.parent / "reconcile" / "exports"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    shutil.copy(migrated, "gateway.db")
    Path("plugins.toml").write_text('[gateway]\ndatabase = "sqlite:///gateway.db"\n[provider.mock]\n')


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["reconcile", "--provider", "openai", *arguments])


def test_differences_are_shown_and_end_with_1() -> None:
    result = run(str(EXPORTS / "openai_costs.json"))
    assert result.exit_code == 1
    heading, first, _, last = result.output.splitlines()
    assert heading.split() == ["day", "model", "measure", "ledger", "provider", "difference", "beyond"]
    assert first.split() == [
        *("2026-11-01", "gpt-5-2025-08-07", "cost"),
        *("0", "0.00625", "0.00625", "(+100.00%)", "yes"),
    ]
    assert last == "2 figures of 1 day compared: 2 differ, 2 beyond the tolerance."


def test_json_has_one_difference_a_line() -> None:
    result = run("--json", str(EXPORTS / "openai_costs.json"))
    assert json.loads(result.output.splitlines()[1]) == {
        "kind": "costs",
        "day": "2026-11-01",
        "model": "gpt-5-mini-2025-08-07",
        "request": None,
        "measure": "cost",
        "ledger": 0,
        "provider": 195_000,
        "difference": 195_000,
        "beyond": True,
        "calls": [],
    }


def test_within_the_tolerance_it_ends_well() -> None:
    result = run("--tolerance", "100%", str(EXPORTS / "openai_costs.json"))
    assert result.exit_code == 0, result.output
    assert "2 differ, 0 beyond the tolerance" in result.output


def test_no_difference_is_said_so() -> None:
    result = run("--since", "2026-11-02", str(EXPORTS / "openai_completions.json"))
    assert (result.exit_code, result.output) == (
        0,
        "0 figures of 1 day compared: 0 differ, 0 beyond the tolerance.\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["--tolerance", "-1%"], 2, "'-1%' is not a percentage: write it as 0.5%"),
        (["--tolerance", "much"], 2, "'much' is not a percentage"),
        (["--column", "time"], 2, "'time' is not of the form NAME=COLUMN"),
        (["--column", "when=created"], 2, "'when' is not among: time, model"),
        (["--format", "anthropic"], 1, "not a page of Anthropic's usage or cost report"),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], code: int, problem: str) -> None:
    result = run(*arguments, str(EXPORTS / "openai_costs.json"))
    assert (result.exit_code, problem in result.output) == (code, True), result.output


def test_what_was_billed_is_compared_by_the_plugins_that_bill() -> None:
    def billed() -> Result:
        return CliRunner().invoke(main, ["reconcile", "--billed"])

    assert "[billing.invoices] and [billing.stripe] do" in billed().output
    with Path("plugins.toml").open("a") as file:
        file.write(
            '[billing.invoices.entities.main]\nname = "Example"\naddress = ["Road 1"]\ncountry = "DE"\n'
        )
    result = billed()
    assert (result.exit_code, result.output) == (0, "What was billed is what the ledger has.\n")


def test_files_or_what_was_billed_but_not_both() -> None:
    for arguments in ([], ["--billed", "x.json"], ["x.json"]):
        result = CliRunner().invoke(main, ["reconcile", *arguments])
        assert result.exit_code == 2
        assert "Give --provider and FILEs, or --billed" in result.output
