"""What the charge of a call is made of, told from its row."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue.price import MILLION
from gateway.ledger import PriceBook, Pricing, flat_price
from gateway.ledger.explain import explain
from gateway.ledger.rows import units
from gateway.ledger.selling import SellingPrices, usual_terms
from gateway.store.selling_prices import SellingPrice
from gateway.types import Outcome, Usage

NOW = 1_795_000_000.0  # November 2026
BOOK = PriceBook.load()
RATES = {"input": "3", "output": "12.5", "cached_read": "0.333", "image": "0.04", "request": "0.001"}


def pricing_of(margin: Decimal, credit: Decimal, *, rates: bool = False) -> Pricing:
    selling = SellingPrices(usual_terms(margin, credit), credit)
    own: dict[str, Any] = (
        {"rates": RATES, "margin_percent": None} if rates else {"rates": None, "margin_percent": "12.5"}
    )
    common: dict[str, Any] = {"provider": "*", "model": "*", "note": "", "created_at": NOW, "revision": 1}
    times: dict[str, Any] = {"valid_from": 0.0, "valid_until": None}
    selling.replace([SellingPrice(id="sell_1", tenant="acme", plan=None, **own, **common, **times)])
    return Pricing(BOOK, unknown="fallback", fallback=flat_price(Decimal(1), Decimal(2)), selling=selling)


def row_of(usage: Usage, model: str, tenant: str, pricing: Pricing) -> Any:
    done = Outcome(usage=usage, upstream_model=model)
    pricing.apply(done, "openai", NOW, tenant)
    counts = (
        "prompt_tokens",
        "completion_tokens",
        "cached_read_tokens",
        "cached_write_tokens",
        "reasoning_tokens",
    )
    return SimpleNamespace(
        **{name: getattr(usage, name) for name in counts},
        units=units(usage),
        estimated=False,
        upstream_model=model,
        received_at=NOW,
        cost=done.cost,
        charge=done.charge,
        price_version=done.price_version,
        selling=done.selling,
    )


tokens = st.integers(0, 500_000)
usages = st.builds(
    Usage,
    prompt_tokens=tokens,
    completion_tokens=tokens,
    cached_read_tokens=tokens,
    cached_write_tokens=tokens,
    reasoning_tokens=tokens,
    images=st.integers(0, 3),
)


@given(
    usages,
    st.sampled_from(["gpt-4o", "gpt-5-mini", "gpt-4.1", "nobody-knows"]),
    st.sampled_from(["acme", "beta"]),
    st.decimals(-100, 1000, places=3),
    st.decimals("0.0001", 100, places=4),
    st.booleans(),
)
def test_the_lines_add_up_exactly(
    usage: Usage, model: str, tenant: str, margin: Decimal, credit: Decimal, rates: bool
):
    pricing = pricing_of(margin, credit, rates=rates)
    row = row_of(usage, model, tenant, pricing)
    told = explain(row, "openai", pricing)
    assert told.problems == ()
    assert sum(line.amount for line in told.cost_lines) == row.cost * MILLION
    assert sum(line.amount for line in told.charge_lines) == row.charge * MILLION


def test_margin_and_credit_have_their_lines():
    pricing = pricing_of(Decimal(20), Decimal("0.01"))
    told = explain(row_of(Usage(prompt_tokens=1000), "gpt-4o", "beta", pricing), "openai", pricing)
    assert [(line.what, line.amount // MILLION) for line in told.charge_lines] == [
        ("cost, at 0.01 for a credit", 250_000_000),
        ("margin of 20 %", 50_000_000),
    ]


def test_the_config_of_today_does_not_change_what_was():
    before = pricing_of(Decimal(20), Decimal("0.01"))
    row = row_of(Usage(prompt_tokens=1001), "gpt-4o", "beta", before)
    told = explain(row, "openai", pricing_of(Decimal(35), Decimal(1)))
    assert told.problems == ()
    assert sum(line.amount for line in told.charge_lines) == row.charge * MILLION


def test_a_sum_that_does_not_come_out_is_not_shown():
    pricing = pricing_of(Decimal(0), Decimal(1))
    row = row_of(Usage(prompt_tokens=1000), "gpt-4o", "beta", pricing)
    row.cost, row.price_version = 1, "2020-01-01"
    row.selling = "sell_gone"
    told = explain(row, "openai", pricing)
    assert (told.cost_lines, told.charge_lines) == ((), ())
    assert "'2020-01-01'" in told.problems[0]
    assert "sell_gone" in told.problems[1]


def test_a_call_without_usage_is_explained_by_that():
    pricing = pricing_of(Decimal(0), Decimal(1))
    row = row_of(Usage(prompt_tokens=1), "gpt-4o", "beta", pricing)
    row.prompt_tokens = row.cost = row.charge = None
    assert "no usage" in explain(row, "openai", pricing).problems[0]
