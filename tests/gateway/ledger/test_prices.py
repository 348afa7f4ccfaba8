from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigError, InvalidRequest
from gateway.ledger.prices import Price, PriceBook, Pricing, flat_price
from gateway.types import NANO, Outcome, Usage

NOW = 1_795_000_000.0  # November 2026
DAY = 86_400.0
JUNE_10_2025 = 1_749_513_600.0

rates = st.integers(0, 200 * NANO)
tokens = st.integers(0, 10_000_000)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook.load()


def extra(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(f'version = "ours-1"\n{text}', "utf-8")
    return path


def priced(book: PriceBook, catalogue: str, model: str, at: float) -> Price:
    price = book.find(catalogue, model, at)
    assert price is not None
    return price


def test_a_listed_model(book: PriceBook):
    price = book.find("openai", "gpt-4o", NOW)
    assert price is not None
    assert (price.input, price.output) == (2_500_000_000, 10_000_000_000)
    assert (price.cached_read, price.cached_write) == (1_250_000_000, price.input)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", price.version)


@pytest.mark.parametrize(
    ("catalogue", "model", "family"),
    [
        ("openai", "gpt-4o-2024-11-20", "gpt-4o"),
        ("openai", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"),
        ("openai", "gpt-4o-2024-05-13", None),  # listed by itself
        ("local", "llama3:8b", "*"),
        ("mock", "anything", "*"),
    ],
)
def test_a_snapshot_costs_what_its_family_costs_unless_it_is_listed(
    book: PriceBook, catalogue: str, model: str, family: str | None
):
    price = book.find(catalogue, model, NOW)
    assert price is not None
    if family is None:
        assert price != book.find(catalogue, "gpt-4o", NOW)
    else:
        assert price is book.find(catalogue, family, NOW)


@pytest.mark.parametrize(
    ("catalogue", "model"),
    [
        ("openai", "gpt-4o-audio-preview"),
        ("openai", "gpt-4o-"),
        ("openai", "gpt-4o-2024"),
        ("openai", "gpt-4o-2024-11-20-mine"),
        ("openai", "ft:gpt-4o-2024-11-20"),
        ("openai", "gpt-4"[:-1]),
        ("openai", "*-2024-11-20"),
        ("groq", "gpt-4o"),
        ("nobody", "gpt-4o"),
        ("openai", ""),
    ],
)
def test_nothing_looser_matches(book: PriceBook, catalogue: str, model: str):
    assert book.find(catalogue, model, NOW) is None


def test_a_price_holds_in_its_period(book: PriceBook):
    before = book.find("openai", "o3", JUNE_10_2025 - 1)
    after = book.find("openai", "o3", JUNE_10_2025)
    assert before is not None
    assert after is not None
    assert (before.input, after.input) == (10 * NANO, 2 * NANO)
    assert book.find("openai", "o3", 0.0) is None
    assert book.find("deepseek", "deepseek-chat", NOW) is None  # ended


def test_models_are_listed_by_name(book: PriceBook):
    assert "gpt-4o" in book.catalogue.models("openai")
    assert book.catalogue.models("local") == {}
    assert book.catalogue.models("nobody") == {}


def test_the_mock_costs_something_and_a_local_server_nothing(book: PriceBook):
    usage = Usage(prompt_tokens=1000, completion_tokens=1000)
    assert priced(book, "mock", "echo", NOW).cost(usage) == 500_000
    assert priced(book, "local", "llama3", NOW).cost(usage) == 0


def test_cached_tokens_are_part_of_the_prompt():
    price = Price(input=10 * NANO, output=0, cached_read=NANO, cached_write=20 * NANO, version="v")
    usage = Usage(prompt_tokens=1_000_000, cached_read_tokens=600_000, cached_write_tokens=100_000)
    assert price.cost(usage) == (300_000 * 10 + 600_000 * 1 + 100_000 * 20) * 1000


def test_a_long_prompt_costs_the_long_price_altogether(book: PriceBook):
    price = priced(book, "gemini", "gemini-2.5-pro", NOW)
    short = price.cost(Usage(prompt_tokens=200_000, completion_tokens=10))
    long = price.cost(Usage(prompt_tokens=200_001, completion_tokens=10))
    assert short == 200_000 * 1250 + 10 * 10_000
    assert long == 200_001 * 2500 + 10 * 15_000


@given(rates, rates, rates, rates, tokens, tokens, tokens, tokens)
def test_cost_is_the_exact_sum_rounded_half_to_even(
    i: int, o: int, r: int, w: int, plain: int, read: int, written: int, completion: int
):
    price = Price(input=i, output=o, cached_read=r, cached_write=w, version="v")
    usage = Usage(
        prompt_tokens=plain + read + written,
        cached_read_tokens=read,
        cached_write_tokens=written,
        completion_tokens=completion,
    )
    exact = Decimal(plain * i + read * r + written * w + completion * o) / 1_000_000
    cost = price.cost(usage)
    assert type(cost) is int
    assert cost == int(exact.to_integral_value(ROUND_HALF_EVEN))


@given(tokens, tokens, tokens)
def test_cost_is_never_negative_whatever_a_provider_counts(prompt: int, read: int, completion: int):
    price = flat_price(Decimal("2.5"), Decimal(10))
    usage = Usage(prompt_tokens=prompt, cached_read_tokens=read, completion_tokens=completion)
    assert price.cost(usage) >= 0


def test_an_extra_book_is_asked_first(tmp_path: Path):
    text = """
[openai]
"gpt-4o".price = { from = 2026-01-01, input = 1, output = 2 }
[gpu.llama]
kind = "chat"
price = [
  { from = 2026-01-01, until = 2026-02-01, input = 0.000000001, output = 0 },
  { from = 2026-02-01, input = 3, output = 0 },
  { from = 2025-01-01, until = 2027-01-01, input = 4, output = 0 },
]
"""
    book = PriceBook.load(extra(tmp_path, text))
    assert priced(book, "openai", "gpt-4o", NOW).input == NANO
    assert priced(book, "openai", "gpt-4o", NOW).version == "ours-1"
    assert (
        priced(book, "openai", "gpt-4o", 1_735_689_600.0).input == 2_500_000_000
    )  # before ours: the shipped one
    assert book.find("openai", "o1", NOW) is not None
    january_2026 = 1_767_225_600.0
    assert priced(book, "gpu", "llama", january_2026).input == 1
    assert priced(book, "gpu", "llama", january_2026 + 31 * DAY).input == 3 * NANO
    assert priced(book, "gpu", "llama", january_2026 - 1).input == 4 * NANO


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[a]\n"m".price = { input = 1, outptu = 2 }', "outptu: unknown key"),
        ('[a]\n"m".price = { input = 1 }', "output: required"),
        ('[a]\n"m".price = { input = "1", output = 1 }', "input: expected a number"),
        ('[a]\n"m".price = { input = true, output = 1 }', "input: expected a number"),
        ('[a]\n"m".price = { input = -1, output = 1 }', "input: a price is a number that is not negative"),
        ('[a]\n"m".price = { input = nan, output = 1 }', "not negative"),
        ('[a]\n"m".price = { input = 1.0000000001, output = 1 }', "at most nine decimals"),
        ('[a]\n"m".price = { input = 1, output = 1, from = "2025" }', "from: expected a date"),
        (
            '[a]\n"m".price = { input = 1, output = 1, from = 2025-01-01, until = 2025-01-01 }',
            "until: must be later",
        ),
        (
            '[a]\n"m".price = { input = 1, output = 1, long = { input = 1, output = 1 } }',
            "long: above: a positive",
        ),
        ('[a]\n"m".price = { input = 1, output = 1, long = 3 }', "long: expected a table"),
        ('[a]\n"m".price = { input = 1, output = 1, long = { above = 1, outer = 1 } }', "outer: unknown key"),
        ('[a]\n"m" = 3', "expected a table"),
        ("b = 3", "b: unknown key; models stand in tables"),
        ('currency = "EUR"', "only 'USD'"),
        ("[a", "prices.toml"),
    ],
)
def test_a_bad_book_says_what_and_where(tmp_path: Path, text: str, problem: str):
    path = extra(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        PriceBook.load(path)
    (line,) = caught.value.problems
    assert line.startswith(str(path))
    assert problem in line


def test_all_problems_are_reported_at_once(tmp_path: Path):
    path = tmp_path / "prices.toml"
    path.write_text('[a]\n"m" = 1\n"n" = 2\n"o".price = { input = 1, output = 1 }', "utf-8")
    with pytest.raises(ConfigError) as caught:
        PriceBook.load(path)
    assert len(caught.value.problems) == 3
    assert "version" in caught.value.problems[0]


def test_a_book_that_is_not_there(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot read the price book"):
        PriceBook.load(tmp_path / "none.toml")


def outcome(model: str | None = "gpt-4o", usage: Usage | None = None) -> Outcome:
    return Outcome(upstream_model=model, usage=usage)


USAGE = Usage(prompt_tokens=1000, completion_tokens=100)


def test_a_known_price_is_applied(book: PriceBook):
    done = outcome("gpt-4o-2024-11-20", USAGE)
    pricing = Pricing(book, unknown="refuse")
    pricing.check("openai", "gpt-4o-2024-11-20", NOW)
    pricing.apply(done, "openai", NOW, "acme")
    assert (done.cost, done.price_version) == (3_500_000, priced(book, "openai", "gpt-4o", NOW).version)


def test_an_unknown_price_is_flagged(book: PriceBook):
    done = outcome("mystery", USAGE)
    pricing = Pricing(book)
    pricing.check("openai", "mystery", NOW)
    pricing.apply(done, "openai", NOW, "acme")
    assert (done.cost, done.price_version) == (None, None)


def test_an_unknown_price_is_refused(book: PriceBook):
    with pytest.raises(InvalidRequest) as caught:
        Pricing(book, unknown="refuse").check("openai", "mystery", NOW)
    assert (caught.value.status, caught.value.code) == (400, "model_price_unknown")


def test_an_unknown_price_falls_back(book: PriceBook):
    done = outcome("mystery", USAGE)
    pricing = Pricing(book, unknown="fallback", fallback=flat_price(Decimal(1), Decimal(2)))
    pricing.check("openai", "mystery", NOW)
    pricing.apply(done, "openai", NOW, "acme")
    assert (done.cost, done.price_version) == (1_200_000, "fallback")
    known = outcome("gpt-4o", USAGE)
    pricing.apply(known, "openai", NOW, "acme")
    assert known.price_version == priced(book, "openai", "gpt-4o", NOW).version


def test_a_fallback_needs_a_price(book: PriceBook):
    with pytest.raises(ConfigError, match="fallback_input"):
        Pricing(book, unknown="fallback")


def test_a_fallback_is_counted_exactly_or_refused():
    assert flat_price(Decimal("0.000000001"), Decimal(0)).input == 1
    with pytest.raises(ConfigError, match="nine decimals"):
        flat_price(Decimal("0.0000000001"), Decimal(0))


def test_without_usage_there_is_nothing_to_price(book: PriceBook):
    for done in (outcome("gpt-4o"), outcome(None, USAGE)):
        Pricing(book).apply(done, "openai", NOW, "acme")
        assert done.cost is None


def test_two_books_share_nothing(tmp_path: Path, book: PriceBook):
    other = PriceBook.load(
        extra(tmp_path, '[openai."mine"]\nkind = "chat"\nprice = { input = 1, output = 1 }')
    )
    assert other.find("openai", "mine", NOW) is not None
    assert book.find("openai", "mine", NOW) is None
