"""The lines of a sum add up to it, whatever was used."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue.lines import lines_of
from gateway.catalogue.price import MILLION
from gateway.catalogue.rates import prices
from gateway.types import Usage

rates = st.decimals(0, 100, places=6)
TEXT = ("input", "output", "cached_read", "cached_write", "audio_input", "audio_output", "reasoning")
OTHER = ("image", "hour", "characters", "search", "file_search", "container", "request")


@st.composite
def _tables(draw: st.DrawFn) -> dict[str, Any]:
    table: dict[str, Any] = {"input": draw(rates), "output": draw(rates)}
    for name in draw(st.sets(st.sampled_from([*TEXT[2:], *OTHER]))):
        table[name] = draw(rates)
    sizes = draw(st.sets(st.sampled_from(["1024x1024", "1024x1536"])))
    if sizes:
        quality = draw(st.sampled_from(["", "high"]))
        table["image"] = draw(rates)
        table["images"] = [{"size": size, "quality": quality, "image": draw(rates)} for size in sizes]
    return table


counts = st.integers(0, 3_000_000)
usages = st.builds(
    Usage,
    prompt_tokens=counts,
    completion_tokens=counts,
    cached_read_tokens=counts,
    cached_write_tokens=counts,
    reasoning_tokens=counts,
    audio_prompt_tokens=counts,
    audio_completion_tokens=counts,
    images=st.integers(0, 20),
    seconds=st.floats(0, 5000),
    characters=counts,
    searches=st.integers(0, 9),
    file_searches=st.integers(0, 9),
    containers=st.integers(0, 3),
    batch_percent=st.sampled_from([0, 0, 33, 50, 100]),
    size=st.sampled_from(["", "1024x1024", "1024x1536"]),
    quality=st.sampled_from(["", "high"]),
)


@given(_tables(), usages, st.booleans())
def test_the_lines_add_up_to_the_cost(table: dict[str, Any], usage: Usage, tiered: bool):
    if tiered:
        table["long"] = {"above": 200_000, "input": Decimal(9), "output": Decimal(50)}
    (price,) = prices(table, "v")
    cost = price.cost(usage)
    lines = lines_of(price, usage)
    assert sum(line.amount for line in lines) == cost * MILLION
    assert cost >= 0
    assert all(line.amount >= 0 for line in lines if line.what != "rounding" and "% off" not in line.what)
    assert all(abs(line.amount) <= MILLION // 2 for line in lines if line.what == "rounding")


def test_each_thing_has_its_line():
    table = {"input": 2, "output": 8, "cached_read": 1, "reasoning": 10, "search": Decimal("0.01")}
    (price,) = prices(table, "v")
    usage = Usage(
        prompt_tokens=1000, cached_read_tokens=400, completion_tokens=300, reasoning_tokens=100, searches=2
    )
    shown = [(line.what, line.quantity, line.amount // MILLION) for line in lines_of(price, usage)]
    assert shown == [
        ("input tokens", 600, 1_200_000),
        ("tokens read from the cache", 400, 400_000),
        ("output tokens", 200, 1_600_000),
        ("reasoning tokens", 100, 1_000_000),
        ("searches", 2, 20_000_000),
    ]


@pytest.mark.parametrize(
    ("size", "quality", "each"),
    [
        ("1024x1024", "high", 167),
        ("1024x1536", "high", 250),
        ("1024x1536", "low", 60),
        ("512x512", "low", 42),
        ("", "", 42),
    ],
)
def test_a_picture_costs_what_its_size_and_quality_do(size: str, quality: str, each: int):
    images = [
        {"size": "1024x1536", "image": Decimal("0.06")},
        {"size": "1024x1024", "quality": "high", "image": Decimal("0.167")},
        {"size": "1024x1536", "quality": "high", "image": Decimal("0.25")},
    ]
    (price,) = prices({"image": Decimal("0.042"), "images": images}, "v")
    assert price.cost(Usage(images=3, size=size, quality=quality)) == 3 * each * MILLION


def test_a_film_costs_what_its_size_does():
    (price,) = prices(
        {"second": Decimal("0.1"), "films": [{"size": "1792x1024", "second": Decimal("0.5")}]}, "v"
    )
    assert price.cost(Usage(seconds=8, size="1792x1024")) == 4_000_000_000
    assert price.cost(Usage(seconds=8, size="720x1280")) == 800_000_000


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"images": [{"size": "1x1", "image": 1}]}, "images: needs image beside it"),
        ({"image": 1, "images": {"size": "1x1"}}, "images: expected a list"),
        ({"image": 1, "images": [{"size": "1x1"}]}, "images: image: required"),
        ({"image": 1, "images": [{"image": 1}]}, "images: each entry names"),
        ({"image": 1, "images": [{"size": "1x1", "second": 1, "image": 1}]}, "second: unknown key"),
        ({"films": [{"size": "1x1", "second": 1}]}, "films: needs second or hour beside it"),
    ],
)
def test_a_variant_that_is_not_one(table: dict[str, Any], words: str):
    with pytest.raises(ValueError, match=words):
        prices(table, "v")
