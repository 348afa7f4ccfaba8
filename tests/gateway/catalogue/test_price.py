"""What is not text: pictures, hours, characters, searches, sounds."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalogue import ModelCatalogue, Price, Units
from gateway.catalogue.lines import lines_of
from gateway.catalogue.rates import prices
from gateway.catalogue.reading import read
from gateway.errors import ConfigError
from gateway.types import NANO, Usage


def price(**rates: Any) -> Price:
    exact = {name: Decimal(rate) if isinstance(rate, str) else rate for name, rate in rates.items()}
    (one,) = prices(exact, "v")
    return one


def dollars(cost: int) -> Decimal:
    return Decimal(cost) / NANO


@pytest.mark.parametrize(
    ("rates", "usage", "expected"),
    [
        ({"image": "0.04"}, {"images": 3}, "0.12"),
        ({"hour": "0.36"}, {"seconds": 90.0}, "0.009"),
        ({"second": "0.40"}, {"seconds": 8.0}, "3.2"),
        ({"hour": "0.111"}, {"seconds": 0.5}, "0.000015417"),
        ({"characters": 15}, {"characters": 2_000}, "0.03"),
        ({"search": "0.002"}, {"searches": 5}, "0.01"),
        (
            {"input": 1, "output": 1, "request": "0.005"},
            {"prompt_tokens": 1000, "completion_tokens": 1000},
            "0.007",
        ),
        ({"input": 1, "output": 1, "request": "0.005"}, {}, "0"),
        (
            {"input": 4, "output": 16, "audio_input": 32, "audio_output": 64},
            {
                "prompt_tokens": 1000,
                "audio_prompt_tokens": 600,
                "completion_tokens": 500,
                "audio_completion_tokens": 500,
            },
            "0.0528",
        ),
        # Of 1000 tokens 900 came from a cache: at most the others can be priced as sound.
        (
            {"input": 4, "output": 16, "cached_read": "0.4", "audio_input": 32},
            {"prompt_tokens": 1000, "cached_read_tokens": 900, "audio_prompt_tokens": 600},
            "0.00356",
        ),
        ({"image": "0.04"}, {"prompt_tokens": 1000, "completion_tokens": 1000}, "0"),
    ],
)
def test_units_are_priced(rates: dict[str, Any], usage: dict[str, Any], expected: str):
    assert dollars(price(**rates).cost(Usage(**usage))) == Decimal(expected)


def test_units_count_in_long_prompts_as_in_short_ones():
    tiered = price(
        input=1, output=1, image="0.5", long={"above": 100, "input": 2, "output": 2, "image": Decimal("0.5")}
    )
    assert dollars(tiered.cost(Usage(prompt_tokens=101, images=1))) == Decimal("0.500202")


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -5.0, 1e300])
def test_what_cannot_be_a_time_breaks_nothing(seconds: float):
    assert price(hour="0.36").cost(Usage(seconds=seconds)) >= 0


counts = st.integers(0, 1_000_000)


@given(
    counts,
    counts,
    counts,
    counts,
    st.integers(0, 10 * NANO),
    st.integers(0, 10 * NANO),
    st.integers(0, 10 * NANO),
)
def test_the_sum_is_exact(
    images: int, characters: int, searches: int, tokens: int, image: int, million: int, search: int
):
    units = Units(image=image, characters=million, search=search)
    one = Price(input=NANO, output=0, cached_read=0, cached_write=0, version="v", units=units)
    usage = Usage(images=images, characters=characters, searches=searches, prompt_tokens=tokens)
    exact = images * image + searches * search + Decimal(characters * million + tokens * NANO) / 1_000_000
    assert one.cost(usage) == int(exact.quantize(Decimal(1), ROUND_HALF_EVEN))


@given(st.floats(0, 1e6), st.integers(0, 10_000))
def test_time_is_priced_to_the_microsecond(seconds: float, rate: int):
    cost = Price(
        input=0, output=0, cached_read=0, cached_write=0, version="v", units=Units(hour=rate * 1000)
    ).cost(Usage(seconds=seconds))
    assert cost == pytest.approx(seconds * rate * 1000 / 3600, abs=1)


def test_a_batch_makes_tokens_cheaper_but_not_the_fees_of_tools():
    cheap = price(input=10, output=10, search="0.01", file_search="0.0025", container="0.03")
    used = Usage(prompt_tokens=1_000_000, searches=2, file_searches=4, containers=1, batch_percent=50)
    assert cheap.cost(used) == (5 * NANO) + 20_000_000 + 10_000_000 + 30_000_000
    assert [line.what for line in lines_of(cheap, used)] == [
        "input tokens",
        "batch, 50 % off",
        "searches",
        "searches in files",
        "containers",
    ]


def test_what_a_file_says_of_all_its_models_holds_where_they_say_nothing_else():
    text = """
version = "v"
batch_percent = 50
tools = { search = 0.01 }
[house.talker]
kind = "chat"
price = { input = 1, output = 2, long = { above = 9, input = 2, output = 4 } }
[house.searcher]
kind = "chat"
batch_percent = 20
price = { input = 1, output = 2, search = 0.025 }
[house.counter]
kind = "embedding"
price = { input = 1, output = 0 }
"""
    models = ModelCatalogue(read(text, "own.toml")).models("house")
    assert [model.batch_percent for model in models.values()] == [50, 20, 50]
    assert [model.prices[0].cost(Usage(searches=1)) for model in models.values()] == [
        10_000_000,
        25_000_000,
        0,
    ]
    assert models["talker"].prices[0].cost(Usage(prompt_tokens=10, searches=1)) == 20_000 + 10_000_000


@pytest.mark.parametrize(
    "line", ["batch_percent = 101", "batch_percent = 0.5", "tools = { sand = 1 }", "tools = 3"]
)
def test_what_cannot_hold_for_all_models_is_refused(line: str):
    with pytest.raises(ConfigError, match=r"own\.toml: .*(percent|known are|a table)"):
        read(f'version = "v"\n{line}\n', "own.toml")


def test_sound_never_makes_a_call_cost_less_than_nothing():
    cheap = price(input=10, output=10, audio_input=0, audio_output=0)
    assert cheap.cost(Usage(prompt_tokens=5, audio_prompt_tokens=900, audio_completion_tokens=900)) == 0


def test_rates_are_told_as_they_were_written():
    written = {
        "input": 4.0,
        "output": 16.0,
        "cached_read": 0.4,
        "audio_input": 32.0,
        "image": 0.04,
        "hour": 7.2,
    }
    rates = {name: Decimal(str(rate)) for name, rate in written.items() if name != "hour"}
    assert price(**rates, second="0.002").rates() == written
    assert price(image="0.04").rates() == {"image": 0.04}
    assert price(input=0, output=0).rates() == {"input": 0.0, "output": 0.0}
