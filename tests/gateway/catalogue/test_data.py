"""The data that ships: every entry can be read, and makes sense by itself and beside the others."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from importlib.resources import files
from itertools import pairwise
from typing import Any, cast

import pytest

from gateway.catalogue import CAPABILITIES, KINDS, Model, ModelCatalogue
from gateway.catalogue.model import ANY

DATA: Mapping[str, dict[str, Any]] = {
    path.name.removesuffix(".toml"): tomllib.loads(path.read_text("utf-8"), parse_float=Decimal)
    for path in files("gateway.catalogue").joinpath("data").iterdir()
    if path.name.endswith(".toml")
}
NOW = 1_795_000_000.0  # November 2026
FAR = date(9999, 1, 1)
MOST = {"input": 200, "output": 1000, "image": 1, "second": 2, "hour": 10, "characters": 300, "search": 0.1}
"""More dollars than any model asks: a rate above has slipped by a power of ten."""


def entries() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for provider, document in DATA.items():
        for name, entry in document.get(provider, {}).items():
            yield provider, name, entry


def periods(entry: dict[str, Any]) -> list[dict[str, Any]]:
    price = entry.get("price", [])
    return cast("list[dict[str, Any]]", price) if isinstance(price, list) else [price]


@pytest.fixture(scope="module")
def catalogue() -> ModelCatalogue:
    return ModelCatalogue()


def test_there_is_something_to_check():
    assert len(list(entries())) > 900
    assert {"openai", "anthropic", "gemini", "mistral", "bedrock", "azure", "local", "mock"} <= set(DATA)


@pytest.mark.parametrize("provider", DATA)
def test_a_file_holds_the_models_of_its_provider_and_the_day_they_were_seen(provider: str):
    assert set(DATA[provider]) <= {"version", "like", "batch_percent", "tools", provider}
    date.fromisoformat(DATA[provider]["version"])


@pytest.mark.parametrize("provider", DATA)
def test_every_model_can_be_read_and_has_a_kind(catalogue: ModelCatalogue, provider: str):
    for name, model in catalogue.models(provider).items():
        assert (model.name, model.provider) == (name, provider)
        assert model.kind in KINDS
        assert set(model.can) <= set(CAPABILITIES)
        assert name == name.strip()
        assert name.isprintable()


def test_only_the_entry_for_all_models_may_lack_a_kind():
    without = {(provider, name) for provider, name, entry in entries() if "kind" not in entry}
    assert without == {("local", ANY), ("mock", ANY)}


def test_no_periods_overlap():
    for provider, name, entry in entries():
        spans = sorted((one["from"], one.get("until", FAR)) for one in periods(entry))
        for (start, end), (following, _) in pairwise(spans):
            assert start < following, (provider, name)
            assert end in (FAR, following) or end <= following, (provider, name)


def test_no_rate_is_negative_or_absurd():
    for provider, name, entry in entries():
        for one in periods(entry):
            for table in (one, one.get("long", {})):
                for rate, value in table.items():
                    if isinstance(value, int | Decimal) and rate != "above":
                        assert 0 <= value <= MOST.get(rate, 1000), (provider, name, rate)


def test_what_was_cached_costs_no_more_than_what_was_not():
    for provider, name, entry in entries():
        for one in periods(entry):
            if one.get("input"):
                assert one.get("cached_read", 0) <= one["input"], (provider, name)


def test_long_prompts_cost_no_less():
    for provider, name, entry in entries():
        for one in periods(entry):
            if long := one.get("long"):
                assert long["input"] >= one["input"], (provider, name)
                assert long["output"] >= one["output"], (provider, name)
                assert set(long) - {"above"} == set(one) - {"from", "until", "long"}, (provider, name)


def test_dates_follow_each_other():
    for provider, name, entry in entries():
        released, retires = entry.get("released", date(2000, 1, 1)), entry.get("retires", FAR)
        assert released < retires, (provider, name)
        if "released" in entry:
            assert released.strftime("%Y-%m") >= entry.get("knowledge", "2000-01"), (provider, name)
        for one in periods(entry):
            assert one["from"] < retires, (provider, name)
            assert one["from"] <= date.fromisoformat(DATA[provider]["version"]), (provider, name)


def test_units_fit_the_kind(catalogue: ModelCatalogue):
    unlike = {"image": ("image",), "characters": ("speech",), "search": ("rerank",)}
    for provider, name, entry in entries():
        for one in periods(entry):
            for unit, kinds in unlike.items():
                assert unit not in one or entry["kind"] in kinds, (provider, name, unit)


def test_some_facts(catalogue: ModelCatalogue):
    def model(provider: str, name: str) -> Model:
        found = catalogue.find(provider, name)
        assert found is not None
        return found

    haiku = model("anthropic", "claude-haiku-4-5-20251001")
    assert (haiku.kind, haiku.context, haiku.max_output) == ("chat", 200_000, 64_000)
    assert {"tools", "vision", "pdf", "thinking"} <= set(haiku.can)
    assert model("openai", "whisper-1").kind == "transcription"
    assert model("anthropic", "claude-3-opus").is_retired(NOW)
    assert not haiku.is_retired(NOW)
    price = model("gemini", "gemini-2.5-flash").price(NOW)
    assert price is not None
    assert price.rates()["audio_input"] == 1
