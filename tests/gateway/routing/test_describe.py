"""What clients are told of the models they may call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from gateway.catalogue import ModelCatalogue
from gateway.catalogue.reading import read
from gateway.routing import RoutingTable
from gateway.routing.describe import Describer
from gateway.types import Answer, Attempt, Capability, Dialect, Principal, Target

NOW = 1_795_000_000.0  # November 2026
EVERYBODY = Principal(tenant="t", authenticator="test")
OWN = """
version = "test"
[acme.big]
kind = "chat"
can = ["tools", "vision", "streaming"]
context = 200
max_output = 20
released = 2025-01-01
retires = 2027-01-01
price = { input = 1, output = 2, cached_read = 0.5, long = { above = 100, input = 3, output = 4, cached_read = 1 } }
[acme.small]
kind = "chat"
can = ["tools", "streaming"]
context = 100
[acme.gone]
kind = "chat"
retires = 2020-01-01
[acme.painter]
kind = "image"
price = { image = 0.04 }
"""


class FakeProvider:
    models: Sequence[str] = ()
    dialects: Mapping[Capability, Dialect] = {"chat": "openai.chat"}

    def __init__(self, name: str, catalogue: str) -> None:
        self.name = name
        self.catalogue = catalogue

    async def send(self, attempt: Attempt) -> Answer:
        raise NotImplementedError


PROVIDERS = {"one": FakeProvider("one", "acme"), "own": FakeProvider("own", "local")}


@pytest.fixture
def catalogue() -> ModelCatalogue:
    return ModelCatalogue(read(OWN, "test.toml"))


@pytest.fixture
def describer(catalogue: ModelCatalogue) -> Describer:
    return Describer(PROVIDERS, catalogue)


def test_all_that_is_known_of_a_model_is_told(describer: Describer):
    big = describer.describe("one/big", "one", [Target("one", "big")], NOW)
    assert (big.id, big.owned_by, big.created) == ("one/big", "one", 1_735_689_600)
    assert (big.kind, big.context_window, big.max_output_tokens) == ("chat", 200, 20)
    assert big.capabilities == ("tools", "vision", "streaming")
    assert big.pricing == {
        "currency": "USD",
        "input": 1.0,
        "output": 2.0,
        "cached_read": 0.5,
        "long": {"above": 100, "input": 3.0, "output": 4.0, "cached_read": 1.0},
    }
    assert big.retires == "2027-01-01"


def test_an_alias_can_do_what_all_of_its_targets_can(describer: Describer):
    both = describer.describe("fast", "gateway", [Target("one", "big"), Target("one", "small")], NOW)
    assert (both.context_window, both.max_output_tokens) == (100, None)
    assert both.capabilities == ("tools", "streaming")
    assert both.pricing is not None
    unsure = describer.describe("fast", "gateway", [Target("one", "big"), Target("one", "nobody")], NOW)
    assert (unsure.kind, unsure.capabilities, unsure.pricing) == (None, None, None)
    assert unsure.created == 1_735_689_600


def test_of_what_nobody_knows_only_the_name_is_told(describer: Describer):
    info = describer.describe("one/x", "one", [Target("one", "x")], NOW)
    assert (info.created, info.kind, info.context_window, info.pricing) == (0, None, None, None)


def test_what_cannot_answer_is_not_listed(catalogue: ModelCatalogue, describer: Describer):
    offered = {name: describer.is_offered("one", name, NOW) for name in ("big", "gone", "painter", "x")}
    assert offered == {"big": True, "gone": False, "painter": False, "x": True}
    assert describer.is_offered("own", "llama", NOW)
    table = RoutingTable(PROVIDERS, {}, {"one": ["big", "gone", "painter"], "own": ["llama"]}, catalogue)
    assert [model.id for model in table.models(EVERYBODY)] == ["one/big", "own/llama"]
    assert table.model("one/gone", EVERYBODY).retires == "2020-01-01", "it may be called all the same"
