"""Price books are written and read again, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from gateway.catalogue import ModelCatalogue, Price
from gateway.catalogue.drift import Drift, drift
from gateway.catalogue.reading import Page, read, read_document
from gateway.catalogue.writing import document_of, from_json, to_json, to_toml

NOW = 1_795_000_000.0  # November 2026
SHIPPED = ModelCatalogue()
OURS = """
version = "own-1"
[house."painter one"]
kind = "image"
price = { image = 0.04, images = [{ size = "1024x1536", quality = "high", image = 0.25 }] }
[house.thinker]
kind = "chat"
can = ["tools"]
price = [
  { from = 2026-01-01, input = 1.25, output = 10, reasoning = 12.5, long = { above = 200000, input = 2.5, output = 15 } },
  { until = 2026-01-01, input = 2, output = 11.123456789 },
]
[house.filmer]
kind = "video"
price = { second = 0.1, films = [{ size = "1792x1024", second = 0.5 }] }
"""


def test_what_is_written_says_the_same_in_both_formats():
    own = read(OURS, "own.toml")
    catalogue = ModelCatalogue(own)
    document = document_of(catalogue.models("house").values(), "own-1")
    assert read(to_toml(document), "again.toml") == own
    assert read_document(from_json(to_json(document)), "again.json") == own


@pytest.mark.parametrize("provider", SHIPPED.providers)
def test_the_shipped_books_can_be_written(provider: str):
    models = SHIPPED.models(provider)
    document = document_of(models.values(), "copy")
    again = read(to_toml(document), "copy.toml")
    assert read_document(from_json(to_json(document)), "copy.json") == again
    for name, model in models.items():
        prices = again.models[provider][name].get("prices", ())
        assert [one.rates() for one in prices] == [one.rates() for one in model.prices]


def _asked(factor: str) -> Any:
    def selling(_provider: str, _model: str, price: Price) -> Mapping[str, Decimal]:
        return {name: rate * Decimal(factor) for name, rate in price.amounts().items()}

    return selling


def compared(newer: str, *, asked: str = "1.2", threshold: str = "10") -> list[Drift]:
    page: Page = read(f'version = "newer"\n{newer}', "newer.toml")
    prices = {
        provider: {name: fields.get("prices", ()) for name, fields in models.items()}
        for provider, models in page.models.items()
    }
    found = drift(
        ModelCatalogue(read(OURS, "own.toml")), prices, _asked(asked), at=NOW, threshold=Decimal(threshold)
    )
    return list(found)


def test_what_differs_by_more_than_the_threshold_is_told():
    newer = "house.thinker.price = { input = 1.25, cached_read = 1.3, output = 11.5, reasoning = 12.5, long = { above = 200000, input = 2.5, output = 15 } }"
    (one,) = compared(newer)
    assert (one.rate, one.ours, one.newer, one.percent, one.below_cost) == (
        "output",
        Decimal(10),
        Decimal("11.5"),
        Decimal(15),
        False,
    )
    assert {one.rate for one in compared(newer, threshold="1")} == {"cached_read", "output"}


def test_what_is_sold_below_its_cost_is_told_whatever_the_threshold():
    newer = "house.thinker.price = { input = 1.3, output = 10, reasoning = 12.5, long = { above = 200000, input = 2.5, output = 15 } }"
    one, *_ = compared(newer, asked="1.01")
    assert (one.rate, one.asked, one.below_cost) == ("input", Decimal("1.2625"), True)


def test_what_only_one_book_has_is_told():
    rates = {
        (one.model, one.rate): (one.ours, one.newer)
        for one in compared("house.new.price = { input = 1, output = 2 }")
    }
    assert rates == {("new", "input"): (None, Decimal(1)), ("new", "output"): (None, Decimal(2))}


def test_equal_books_do_not_drift():
    assert compared(OURS.replace('version = "own-1"', "")) == []
