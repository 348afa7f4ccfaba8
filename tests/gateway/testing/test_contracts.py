"""The contract suites find what is wrong with a plugin, and say so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec import structs
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import false, update

from gateway import Plugin, PluginConfig, Secret, hookimpl
from gateway.errors import AuthenticationFailed, GatewayError, ProviderError, QuotaExceeded
from gateway.plugin import Context
from gateway.protocols import Incoming, Sink
from gateway.store import Guard, Write
from gateway.store.tables import tenants
from gateway.testing.contracts import (
    AuthContract,
    BillingContract,
    InterceptorContract,
    PluginContract,
    ProviderContract,
    SinkContract,
)
from gateway.testing.contracts.provider import Situation
from gateway.testing.fakes import FakeProvider, plugin_with
from gateway.testing.upstream import FakeUpstream
from gateway.types import Answer, Attempt, Call, Outcome, Principal, Proceed

FAILURE = (AssertionError, pytest.fail.Exception)


def contract(base: type[Any], plugin: type[Plugin[Any]], **methods: Any) -> Any:
    return type("Contract", (base,), {"plugin": plugin, **methods})()


class Careless(PluginConfig):
    """Settings with everything wrong."""

    model_config = ConfigDict(extra="allow", frozen=False)

    api_key: str = "not-a-real-key"


class Leaky(PluginConfig):
    """Settings that show a secret."""

    secret: Secret = Field(description="A secret.")

    def __repr__(self) -> str:
        return self.secret.reveal()


def service(config: type[BaseModel]) -> type[Plugin[Any]]:
    return type("Service", (Plugin,), {"id": "service.bad", "Config": config})


@pytest.mark.parametrize(
    "test",
    [
        "test_says_what_it_is",
        "test_config_describes_every_field",
        "test_config_refuses_unknown_keys",
        "test_config_never_changes",
        "test_secrets_are_secret",
    ],
)
def test_careless_settings_are_found(test: str) -> None:
    with pytest.raises(FAILURE):
        getattr(contract(PluginContract, service(Careless)), test)()


def test_a_leak_is_found() -> None:
    def config(_self: object) -> dict[str, Any]:
        return {"secret": "not-a-real-secret"}

    leaky = contract(PluginContract, service(Leaky), config=config)
    leaky.test_secrets_are_secret()
    with pytest.raises(AssertionError):
        leaky.test_secrets_do_not_leak()


class Hasty(Plugin[PluginConfig]):
    """Writes a file while it is constructed."""

    id = "service.hasty"

    def __init__(self, name: str, config: PluginConfig, context: Context) -> None:
        super().__init__(name, config, context)
        Path("hasty.txt").write_text("too early")


def test_side_effects_of_constructing_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="startup"):
        contract(PluginContract, Hasty).test_constructing_has_no_side_effects(tmp_path, monkeypatch)


def test_a_plugin_that_does_nothing_is_found(tmp_path: Path) -> None:
    idle = contract(PluginContract, plugin_with("service.idle"))
    with pytest.raises(AssertionError, match="no hook"):
        idle.test_starts_and_stops_again_and_again(tmp_path)


class Chatty(ProviderContract):
    """Sets the situations up for `FakeProvider`."""

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any]:
        models = {"refusal": "fail", "cut": "cut", "hang": "hang"}
        stream = situation in {"stream", "cut"}
        return self.request(model=models.get(situation, "good"), stream=stream)


class Named(Plugin[PluginConfig]):
    """Registers a provider of a class that the test gives."""

    id = "provider.fake"
    provider: ClassVar[type[FakeProvider]] = FakeProvider

    @hookimpl
    def register_providers(self) -> Sequence[FakeProvider]:
        return [self.provider(self.name)]


def chatty(provider: type[FakeProvider]) -> Any:
    return contract(Chatty, type("Bad", (Named,), {"provider": provider}))


class TestFakeProvider(Chatty):
    """The fake itself keeps the contract."""

    plugin = Named


class Smooth(FakeProvider):
    """Ends a stream that was cut as if it were whole."""

    async def send(self, attempt: Attempt) -> Answer:
        answer = await super().send(attempt)
        stream = answer.stream
        assert stream is not None

        async def smoothed() -> AsyncIterator[bytes]:
            try:
                async for chunk in stream:
                    yield chunk
            except ProviderError:
                yield b"data: [DONE]\n\n"

        answer.stream = smoothed()
        return answer


def test_a_stream_that_hides_its_cut_is_found(tmp_path: Path) -> None:
    with pytest.raises(FAILURE, match="DID NOT RAISE"):
        chatty(Smooth).test_a_cut_is_no_end(tmp_path)


class Crashing(FakeProvider):
    """Raises something else than the gateway knows."""

    async def send(self, attempt: Attempt) -> Answer:
        raise OSError("connection refused")


def test_a_foreign_error_is_found(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="connection refused"):
        chatty(Crashing).test_keeps_what_the_provider_said(tmp_path)


class Stubborn(FakeProvider):
    """Answers where it should wait to be cancelled."""

    async def send(self, attempt: Attempt) -> Answer:
        return Answer(200, [], body=b"{}")


def test_a_missing_answer_is_found(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="usage"):
        chatty(Stubborn).test_answers(tmp_path)
    with pytest.raises(AssertionError, match="stream was asked for"):
        chatty(Stubborn).test_streams(tmp_path)
    with pytest.raises(AssertionError, match="waited"):
        chatty(Stubborn).test_cancelling_lets_go(tmp_path)


def test_a_provider_with_a_name_of_its_own_is_found(tmp_path: Path) -> None:
    plugin = plugin_with("provider.fake", register_providers=[FakeProvider("mine")])
    with pytest.raises(AssertionError, match=r"plugins\.toml"):
        contract(Chatty, plugin).test_describes_what_it_can_do(tmp_path)


class Tokens:
    """Knows one token."""

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        value = incoming.headers.get(b"authorization")
        if value is None:
            return None
        if value != b"Token good":
            raise AuthenticationFailed(f"Bad: {value.decode('latin-1')}.")
        return Principal(tenant="default", authenticator="tokens")


class TokenContract(AuthContract):
    """Says what its credentials are."""

    async def good(self, plugin: Plugin[Any]) -> Mapping[str, str]:
        return {"authorization": "Token good"}

    async def bad(self, plugin: Plugin[Any]) -> Sequence[Mapping[str, str]]:
        return [{"authorization": "Token not-a-real-token"}]


def test_an_authenticator_that_refuses_what_is_not_its_business_is_found(tmp_path: Path) -> None:
    greedy = contract(TokenContract, plugin_with("auth.tokens", register_authenticators=[Tokens()]))
    greedy.test_good_credentials_become_a_principal(tmp_path)
    greedy.test_credentials_are_told_apart(tmp_path)
    with pytest.raises(AssertionError, match="gave 401"):
        greedy.test_foreign_credentials_are_left_to_others(tmp_path)
    with pytest.raises(AssertionError, match="repeats the credential"):
        greedy.test_bad_credentials_are_refused(tmp_path)


class Swallower:
    """Makes a good answer of every error."""

    async def around_call(self, call: Call, proceed: Proceed) -> Answer:
        try:
            return await proceed(call)
        except GatewayError:
            return Answer(200, [(b"content-type", b"application/json")], body=b"{}")


class Muddler:
    """Remembers the call of one client while it serves another."""

    def __init__(self) -> None:
        self.model = ""

    async def around_call(self, call: Call, proceed: Proceed) -> Answer:
        self.model = call.model
        await asyncio.sleep(0)
        return await proceed(structs.replace(call, model=self.model))


def test_an_interceptor_that_swallows_errors_is_found(tmp_path: Path) -> None:
    plugin = plugin_with("middleware.bad", register_interceptors=[Swallower()])
    with pytest.raises(AssertionError):
        contract(InterceptorContract, plugin).test_errors_stay_errors(tmp_path)


def test_an_interceptor_that_mixes_clients_up_is_found(tmp_path: Path) -> None:
    plugin = plugin_with("middleware.bad", register_interceptors=[Muddler()])
    with pytest.raises(AssertionError):
        contract(InterceptorContract, plugin).test_everybody_gets_their_own_answer(tmp_path)


class Forgetful:
    """Says thank you, keeps what it likes, and twice if it comes twice."""

    name = "forgetful"

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.ids.extend(record["id"] for record in records)


def test_a_sink_that_counts_twice_is_found(tmp_path: Path) -> None:
    async def arrived(_self: object, sink: Sink, _upstream: FakeUpstream) -> Collection[str]:
        assert isinstance(sink, Forgetful)
        return sink.ids

    plugin = plugin_with("sink.forgetful", register_sinks=[Forgetful()])
    bad = contract(SinkContract, plugin, arrived=arrived)
    bad.test_takes_records(tmp_path)
    with pytest.raises(AssertionError):
        bad.test_takes_a_record_twice_and_keeps_it_once(tmp_path)


class Barter:
    """Returns rows of its own invention."""

    def on_open(self, call: Call) -> Sequence[Any]:
        return [{"table": "calls"}]

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Any]:
        return ()


def test_billing_that_returns_something_else_is_found(tmp_path: Path) -> None:
    bad = contract(BillingContract, plugin_with("billing.barter", register_billing=[Barter()]))
    with pytest.raises(AssertionError):
        bad.test_writes_for_every_outcome(tmp_path)


class Miser:
    """Refuses every call."""

    def __init__(self) -> None:
        never = update(tenants).where(false()).values(name="nobody")
        self.guard = Guard(never, refusal=lambda: QuotaExceeded("No credit."))

    def on_open(self, call: Call) -> Sequence[Write]:
        return (Write(self.guard, ()),)

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Write]:
        return ()


class Generous(Miser):
    """Should refuse, and does not."""

    def on_open(self, call: Call) -> Sequence[Write]:
        return ()


def test_billing_that_should_refuse_must_refuse(tmp_path: Path) -> None:
    def refusing(_self: object) -> dict[str, Any]:
        return {}

    strict = plugin_with("billing.strict", register_billing=[Miser()])
    contract(BillingContract, strict, refusing=refusing).test_refuses_before_the_provider_is_called(tmp_path)
    lax = plugin_with("billing.lax", register_billing=[Generous()])
    with pytest.raises(AssertionError):
        contract(BillingContract, lax, refusing=refusing).test_refuses_before_the_provider_is_called(tmp_path)
