"""What callers are asked, and who is asked what."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError, InvalidRequest
from gateway.ledger import PriceBook, Pricing
from gateway.ledger.selling import SellingPrices, usual_terms
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.audit_entries import EntryFilter, list_entries
from gateway.store.changes import Changes
from gateway.store.selling_prices import (
    NewSellingPrice,
    SellingPrice,
    add_selling_price,
    all_selling_prices,
    end_selling_price,
)
from gateway.types import Outcome, Usage

NOW = 1_795_000_000.0  # November 2026
BOOK = PriceBook.load()
USAGE = Usage(prompt_tokens=1_000_000, completion_tokens=100_000)
COST = 3_500_000_000
"""Of that with gpt-4o: 2.5 + 1.0 dollars."""
OPERATOR = Actor(kind="command", id="operator")


def rule(id: str, **fields: Any) -> SellingPrice:
    nothing: dict[str, Any] = {
        "tenant": None,
        "plan": None,
        "provider": "*",
        "model": "*",
        "margin_percent": None,
        "rates": None,
        "valid_from": 0.0,
        "valid_until": None,
        "note": "",
        "created_at": NOW,
        "revision": 1,
    }
    return SellingPrice(id=id, **{**nothing, **fields})


def charged(selling: SellingPrices, tenant: str = "acme", model: str = "gpt-4o", at: float = NOW) -> Outcome:
    done = Outcome(usage=USAGE, upstream_model=model)
    Pricing(BOOK, selling=selling).apply(done, "openai", at, tenant)
    return done


def selling(*rows: SellingPrice, margin: str = "0", credit: str = "1") -> SellingPrices:
    found = SellingPrices(usual_terms(Decimal(margin), Decimal(credit)), Decimal(credit))
    found.replace(rows)
    return found


def test_without_rules_the_charge_is_the_cost_and_nothing_is_said_of_it():
    done = charged(selling())
    assert (done.cost, done.charge, done.selling) == (COST, COST, None)


def test_the_margin_and_the_worth_of_a_credit_are_written_to_the_call():
    done = charged(selling(margin="25.50", credit="0.01"))
    assert (done.cost, done.charge) == (COST, COST * 12550 // 100)
    assert done.selling == "margin=25.5 credit=0.01"


def test_terms_that_come_out_at_the_cost_are_written_to_the_call_all_the_same():
    done = charged(selling(margin="25", credit="1.25"))
    assert (done.charge, done.selling) == (COST, "margin=25 credit=1.25")


def test_rules_hold_from_the_moment_they_are_there_to_the_moment_they_are_gone():
    rules = selling()
    seen: list[tuple[int | None, str | None]] = []
    for rows in ([], [rule("sell_all", margin_percent="10")], []):
        rules.replace(rows)
        done = charged(rules)
        seen.append((done.charge, done.selling))
    assert seen == [(COST, None), (COST * 11 // 10, "sell_all"), (COST, None)]


def test_the_tenants_rule_goes_before_the_plans_this_before_everybodys():
    everybody = rule("sell_all", model="gpt-4o", provider="openai", margin_percent="10")
    plan = rule("sell_plan", plan="pro", margin_percent="20")
    tenant = rule("sell_tenant", tenant="acme", margin_percent="30")
    prices = selling(everybody, plan, tenant, margin="40")
    prices.plan_of = {"acme": "pro", "beta": "pro"}.get
    assert charged(prices, "acme").selling == "sell_tenant"
    assert charged(prices, "beta").selling == "sell_plan"
    assert charged(prices, "gamma").selling == "sell_all"
    assert charged(prices, "gamma", model="gpt-4o-mini").selling == "margin=40 credit=1"


def test_of_one_scope_the_narrower_rule_holds():
    prices = selling(
        rule("sell_all", margin_percent="1"),
        rule("sell_provider", provider="openai", margin_percent="2"),
        rule("sell_family", provider="openai", model="gpt-4o", margin_percent="3"),
        rule("sell_exact", provider="openai", model="gpt-4o-2024-11-20", margin_percent="4"),
    )
    assert charged(prices, model="gpt-4o-2024-11-20").selling == "sell_exact"
    assert charged(prices, model="gpt-4o-2024-08-06").selling == "sell_family"
    assert charged(prices, model="gpt-4.1").selling == "sell_provider"


def test_a_rule_holds_in_its_time():
    prices = selling(rule("sell_late", valid_from=NOW, valid_until=NOW + 10, margin_percent="100"))
    assert charged(prices, at=NOW - 1).charge == COST
    assert charged(prices, at=NOW).charge == 2 * COST
    assert charged(prices, at=NOW + 10).charge == COST


def test_rates_are_in_credits_whatever_the_cost():
    rates = {"input": "3", "output": "12.5", "long": {"above": 200_000, "input": "6", "output": "25"}}
    prices = selling(rule("sell_rates", rates=rates), credit="0.01")
    done = charged(prices)
    assert (done.charge, done.selling) == (8_500_000_000, "sell_rates")
    unknown = charged(prices, model="nobody-knows")
    assert (unknown.cost, unknown.charge) == (None, 8_500_000_000)


def test_a_selling_book_comes_after_the_rows(tmp_path: Path):
    path = tmp_path / "selling.toml"
    path.write_text('version = "s-1"\n[openai]\n"gpt-4o".price = { input = 5, output = 20 }\n', "utf-8")
    prices = SellingPrices(usual_terms(Decimal(10), Decimal(1)), Decimal(1), path)
    done = charged(prices, model="gpt-4o-2024-11-20")
    assert (done.charge, done.selling) == (7_000_000_000, "book=s-1")
    prices.replace([rule("sell_all", margin_percent="0")])
    assert charged(prices).selling == "sell_all"
    path.write_text('version = "s-1"\n[openai]\n"gpt-4o".price = { input = -5, output = 20 }\n', "utf-8")
    with pytest.raises(ConfigError, match="not negative"):
        SellingPrices(usual_terms(Decimal(10), Decimal(1)), Decimal(1), path)


def test_lists_of_models_show_what_a_tenant_is_asked():
    rates = {"input": "300", "output": "1250", "long": {"above": 200_000, "input": "600", "output": "2500"}}
    prices = selling(rule("sell_rates", tenant="acme", rates=rates), margin="20", credit="0.01")
    cost = BOOK.find("openai", "gpt-4o", NOW)
    assert prices.shown("openai", "gpt-4o", cost, NOW, "acme") == {
        "currency": "USD",
        "input": 3.0,
        "output": 12.5,
        "long": {"above": 200_000, "input": 6.0, "output": 25.0},
    }
    assert prices.shown("openai", "gpt-4o", cost, NOW, "beta") == {
        "currency": "USD",
        "input": 3.0,
        "output": 12.0,
        "cached_read": 1.5,
        "search": 0.012,
        "file_search": 0.003,
        "container": 0.036,
    }
    assert prices.shown("openai", "nobody-knows", None, NOW, "beta") is None


@given(
    st.integers(0, 10**15),
    st.decimals(-100, 100_000, places=4),
    st.decimals("0.000001", 1000, places=6),
)
def test_a_charge_is_never_negative_and_grows_with_the_margin(cost: int, margin: Decimal, credit: Decimal):
    low, high = (usual_terms(each, credit).charge(cost, Usage()) for each in (margin, margin + 1))
    assert low is not None
    assert high is not None
    assert 0 <= low <= high


async def test_a_rule_is_kept_followed_and_ended(sqlite: Database):
    prices, changes = selling(), Changes(sqlite)
    try:
        await prices.startup(sqlite, changes)
        row = await add_selling_price(
            sqlite, NewSellingPrice(tenant="acme", margin_percent="50"), actor=OPERATOR
        )
        await changes.look()
        assert charged(prices, at=time.time()).selling == row.id
        await end_selling_price(sqlite, row.id, actor=OPERATOR)
        await changes.look()
        assert charged(prices, at=time.time() + 1).selling is None
        with pytest.raises(InvalidRequest, match="before the end"):
            await end_selling_price(sqlite, row.id, at=time.time() + 60, actor=OPERATOR)
        assert [one.id for one in await all_selling_prices(sqlite)] == [row.id]
    finally:
        await changes.stop()
    actions = {entry.action for entry in await list_entries(sqlite, "acme", EntryFilter(), limit=9)}
    assert actions == {"selling_price.create", "selling_price.end"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"tenant": "acme", "plan": "pro", "margin_percent": "1"}, "not for both"),
        ({"tenant": "acme"}, "either a margin or rates"),
        ({"margin_percent": "1", "rates": {}}, "either a margin or rates"),
        ({"margin_percent": "1", "valid_from": 10.0, "valid_until": 10.0}, "ends after"),
        ({"margin_percent": "1", "tenant": ""}, "empty"),
        ({"margin_percent": "1", "note": "n" * 201}, "200 printable"),
    ],
)
async def test_a_rule_that_contradicts_itself_is_refused(
    sqlite: Database, fields: dict[str, Any], words: str
):
    with pytest.raises(InvalidRequest, match=words):
        await add_selling_price(sqlite, NewSellingPrice(**fields), actor=OPERATOR)
