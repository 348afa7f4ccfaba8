"""`gateway prices`, on a ledger whose gateway is down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.ledger import Ledger, PriceBook, Pricing
from gateway.ledger.selling import SellingPrices, usual_terms
from gateway.store import Database
from gateway.types import Call, Outcome, Usage

URL = "sqlite:///gateway.db"
AT = 1_795_000_000.0  # November 2026
CALL = f"call_{int(AT * 1000):012x}0000000000000001"
OWN = 'version = "own-1"\n[openai."gpt-4o"]\nprice = { input = 2.6, output = 10 }\n'


@pytest.fixture(autouse=True)
def elsewhere(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch, make_call: Callable[..., Call]
) -> None:
    """A config with a book of its own and a margin, and one call that was charged by them."""
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    configure(20)
    Path("own.toml").write_text(OWN, "utf-8")
    Path("gateway.db").write_bytes(migrated.read_bytes())
    asyncio.run(_fill(make_call(id=CALL, received_at=AT, model="main/gpt-4o")))


async def _fill(call: Call) -> None:
    usual = usual_terms(Decimal(20), Decimal("0.01"))
    pricing = Pricing(PriceBook.load(Path("own.toml")), selling=SellingPrices(usual, Decimal("0.01")))
    usage = Usage(prompt_tokens=1000, completion_tokens=100)
    done = Outcome(status="success", provider="main", upstream_model="gpt-4o", ended_at=AT, usage=usage)
    pricing.apply(done, "openai", AT, call.principal.tenant)
    database = Database(URL)
    ledger = Ledger(database)
    await ledger.start()
    await ledger.open(call)
    await ledger.close(call, done)
    await ledger.stop()
    await database.close()


def configure(margin: int) -> None:
    Path("plugins.toml").write_text(
        f'[gateway]\ndatabase = "{URL}"\n'
        f'prices = {{ margin_percent = {margin}, credit_price = 0.01, book = "own.toml" }}\n'
        '[provider.main]\nuse = "openai"\napi_key = "sk-not-a-real-key"\n'
    )


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["prices", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def rows(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*arguments, "--json", code=code).stdout.splitlines()]


def test_cost_and_what_is_asked_are_listed():
    listed = {row["model"]: row for row in rows("list")}
    assert listed["main/gpt-4o"] == {
        "model": "main/gpt-4o",
        "cost": "2.6 input, 10 output",
        "version": "own-1",
        "asked": "cost and 20 %, at 0.01 for a credit",
    }
    shown = rows("show", "main/gpt-4o")
    assert [(row["what"], row["source"]) for row in shown[:1]] == [("cost", "own-1")]
    assert shown[-1]["source"] == "margin=20 credit=0.01"
    run("show", "nobody/gpt-4o", code=2)


def test_a_charge_is_explained_to_the_last_digit():
    (told,) = rows("explain", CALL)
    amounts = [Decimal(line["amount"]) for line in told["charge_lines"]]
    assert [line["what"] for line in told["charge_lines"]] == ["cost, at 0.01 for a credit", "margin of 20 %"]
    assert sum(amounts) == Decimal(told["charge"]) == Decimal("0.432")
    assert [(line["what"], line["amount"]) for line in told["cost_lines"]] == [
        ("input tokens", "0.0026"),
        ("output tokens", "0.001"),
    ]
    text = run("explain", CALL[-8:]).stdout
    assert "cost, by version own-1" in text
    assert "0.432" in text
    assert "no call" in run("explain", "nothing", code=1).output


def test_without_the_book_a_charge_is_not_explained():
    Path("own.toml").write_text(OWN.replace("2.6", "9").replace("own-1", "own-2"), "utf-8")
    assert "'own-1'" in run("explain", CALL, code=1).stderr


def test_a_selling_price_is_set_listed_and_ended():
    (made,) = rows("sell", "--tenant", "acme", "--provider", "openai", "--margin", "5", "--note", "a friend")
    assert [row["id"] for row in rows("rules")] == [made["id"]]
    assert rows("list", "--tenant", "acme")[0]["asked"] == "cost and 5 %, at 0.01 for a credit"
    assert rows("list")[0]["asked"] == "cost and 20 %, at 0.01 for a credit"
    (ended,) = rows("end", made["id"])
    assert ended["until"] is not None
    assert rows("list", "--tenant", "acme")[0]["asked"] == "cost and 20 %, at 0.01 for a credit"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--margin", "5", "--rates", '{"input": 1, "output": 2}'], "either a margin or rates"),
        (["--margin", "-101"], "-100 to 100000"),
        (["--rates", '{"input": "x", "output": "1"}'], "input: cannot be read"),
        (["--rates", '{"inptu": "1"}'], "inptu: unknown key"),
        (["--rates", '{"input": 1, "output": 1, "until": "2027-01-01"}'], "belong to the selling price"),
    ],
)
def test_a_selling_price_that_cannot_be(arguments: list[str], words: str):
    assert words in run("sell", *arguments, code=1).output


def test_repricing_shows_then_writes_once():
    configure(50)
    nothing = run("reprice", "--since", "2026-11-01", "--until", "2026-11-01", code=2)
    assert "--until is not after --since" in nothing.output
    since = ("--since", "2026-11-01", "--until", "2026-11-20")
    (shown,) = rows("reprice", *since)
    assert (shown["calls"], shown["charge"]) == (1, "0.108")
    assert rows("explain", CALL)[0]["adjustments"] == []
    assert rows("reprice", *since, "--apply", "--reason", "a new contract") == [shown]
    assert rows("reprice", *since, "--apply") == []
    told = rows("explain", CALL)[0]
    assert told["adjustments"] == [{"reason": "a new contract", "cost": "0", "charge": "0.108"}]
    assert (told["charge"], told["charge_now"]) == ("0.432", "0.54")


def test_a_book_is_exported_compared_and_imported():
    exported = run("export", "--provider", "openai", "--version", "copy-1").stdout
    Path("copy.toml").write_text(exported, "utf-8")
    assert rows("drift", "copy.toml") == []
    Path("newer.toml").write_text(OWN.replace("2.6", "3.9"), "utf-8")
    (found,) = [row for row in rows("drift", "newer.toml", code=1) if row["rate"] == "input"]
    assert (found["percent"], found["asked"], found["below_cost"]) == ("50", "3.12", True)
    Path("newer.json").write_text(run("export", "--provider", "openai", "--format", "json").stdout, "utf-8")
    assert "version 'export'" in run("import", "newer.json", "--dry-run").stdout
    assert Path("own.toml").read_text("utf-8") == OWN
    run("import", "newer.json")
    assert rows("drift", "copy.toml") == []
    Path("bad.toml").write_text('version = "b"\nopenai."gpt-4o".price = { input = -1, output = 1 }', "utf-8")
    assert "not negative" in run("import", "bad.toml", code=2).stderr
