"""Names lead to targets, and wrong names to helpful errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pytest

from gateway.errors import InvalidRequest, ModelNotFound
from gateway.routing import RoutingTable
from gateway.types import Answer, Attempt, Call, Capability, Dialect, Principal, Target

EVERYBODY = Principal(tenant="t", authenticator="test")


DIALECTS: Mapping[Capability, Dialect] = MappingProxyType(
    {"chat": "openai.chat", "embedding": "openai.embeddings"}
)


class FakeProvider:
    catalogue = "fake"
    models: Sequence[str] = ()

    def __init__(self, name: str, *capabilities: Capability) -> None:
        self.name = name
        self.dialects: Mapping[Capability, Dialect] = MappingProxyType(
            {capability: DIALECTS[capability] for capability in capabilities}
        )

    async def send(self, attempt: Attempt) -> Answer:
        raise NotImplementedError


def call(model: str, capability: Capability = "chat", principal: Principal = EVERYBODY) -> Call:
    return Call(
        id="call_1",
        request_id="req_1",
        client_request_id=None,
        capability=capability,
        dialect=DIALECTS[capability],
        model=model,
        stream=False,
        shows_usage=True,
        body=b"{}",
        principal=principal,
        received_at=0,
    )


@pytest.fixture
def table() -> RoutingTable:
    providers = {
        "one": FakeProvider("one", "chat", "embedding"),
        "two": FakeProvider("two", "chat"),
        "words": FakeProvider("words", "embedding"),
    }
    aliases = {
        "fast": [Target("gone", "x"), Target("two", "b"), Target("one", "a")],
        "void": [Target("gone", "x")],
        "vectors": [Target("two", "b"), Target("words", "v")],
        "org/team/name": [Target("one", "a")],
    }
    return RoutingTable(providers, aliases, {"one": ["a", "org/b"], "two": ["a", "b"]})


@pytest.mark.parametrize(
    ("model", "targets"),
    [
        ("fast", [("two", "b"), ("one", "a")]),
        ("one/anything", [("one", "anything")]),
        ("one/org/b", [("one", "org/b")]),
        ("org/team/name", [("one", "a")]),
        ("a", [("one", "a")]),
        ("b", [("two", "b")]),
        ("org/b", [("one", "org/b")]),
    ],
)
def test_plan(table: RoutingTable, model: str, targets: list[tuple[str, str]]) -> None:
    expected = tuple(Target(*target, "openai.chat") for target in targets)
    assert table.plan(call(model)) == expected
    assert table.plan(call(model)) == expected, "the remembered plan is the same"


def test_targets_that_cannot_do_it_are_left_out(table: RoutingTable) -> None:
    assert table.plan(call("vectors", "embedding")) == (Target("words", "v", "openai.embeddings"),)
    assert table.plan(call("vectors")) == (Target("two", "b", "openai.chat"),)
    with pytest.raises(InvalidRequest, match="cannot be used for embedding calls"):
        table.plan(call("two/b", "embedding"))


@pytest.mark.parametrize("model", ["fats", "one/", "nobody/x", "/a", "c"])
def test_unknown_models(table: RoutingTable, model: str) -> None:
    with pytest.raises(ModelNotFound) as caught:
        table.plan(call(model))
    assert caught.value.status == 404
    assert caught.value.param == "model"


@pytest.mark.parametrize("name", ["fast", "void", "two/b"])
def test_names_that_may_not_be_used_are_described_as_if_there_were_none(
    table: RoutingTable, name: str
) -> None:
    limited = Principal(tenant="t", authenticator="test", models=("one/*",))
    with pytest.raises(ModelNotFound, match=f"'{name}' does not exist or you do not have access to it"):
        table.model(name, limited)
    without = Principal(tenant="t", authenticator="test", providers=("words",))
    if name != "void":
        with pytest.raises(ModelNotFound, match="does not exist or you do not have access to it"):
            table.model(name, without)


def test_hints(table: RoutingTable) -> None:
    with pytest.raises(ModelNotFound, match="Did you mean 'fast'"):
        table.plan(call("fats"))
    with pytest.raises(ModelNotFound, match="None of the providers"):
        table.plan(call("void"))
    limited = Principal(tenant="t", authenticator="test", models=("one/*",))
    with pytest.raises(ModelNotFound) as caught:
        table.plan(call("fats", principal=limited))
    assert "fast" not in caught.value.message.removeprefix("The model 'fats'"), (
        "hints reveal only what may be used"
    )


def test_models_are_those_the_principal_may_use(table: RoutingTable) -> None:
    everything = [m.id for m in table.models(EVERYBODY)]
    assert everything == ["fast", "vectors", "org/team/name", "one/a", "one/org/b", "two/a", "two/b"]
    limited = Principal(tenant="t", authenticator="test", models=("one/*", "fast"))
    assert [m.id for m in table.models(limited)] == ["fast", "one/a", "one/org/b"]
    assert table.model("one/anything", limited).owned_by == "one"
    assert table.model("fast", limited).owned_by == "gateway"
    with pytest.raises(ModelNotFound):
        table.model("two/b", limited)
