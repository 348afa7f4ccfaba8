"""Every hook from end to end: what a plugin registers takes part in real requests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from limits.aio.storage import MemoryStorage
from sqlalchemy import BigInteger, Column, MetaData, String, Table, select, update
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import Gateway, Plugin
from gateway.errors import AuthenticationFailed, ProviderError, QuotaExceeded
from gateway.protocols import Incoming
from gateway.store import Add, Guard, Write
from gateway.store.calls import list_calls
from gateway.testing.asgi import AsgiAnswer, post
from gateway.testing.fakes import FAKE_ANSWER, FakeProvider, MemorySink, plugin_with
from gateway.testing.pytest_plugin import GatewayFactory
from gateway.types import Answer, Attempt, Call, Outcome, Principal, Proceed, ProceedAttempt

PluginClass = type[Plugin[Any]]


def config_of(*plugins: PluginClass) -> dict[str, Any]:
    """A config that enables the plugins, in their order, and has an alias with a fallback."""
    config: dict[str, Any] = {}
    for plugin in plugins:
        kind, _, name = plugin.id.partition(".")
        config.setdefault(kind, {})[name] = {}
    config["models"] = {"safe": {"targets": ["fake:fail", "fake:good"]}}
    return config


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def fake(provider: FakeProvider) -> PluginClass:
    return plugin_with("provider.fake", register_providers=[provider])


async def chat(
    gateway: Gateway,
    model: str = "fake/good",
    *,
    stream: bool = False,
    headers: Mapping[str, str] | None = None,
) -> AsgiAnswer:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello?"}], "stream": stream}
    return await post(gateway, "/v1/chat/completions", body, headers)


def said(answer: AsgiAnswer) -> str:
    assert answer.status == 200, answer.body
    return answer.json()["choices"][0]["message"]["content"]


async def test_hook_register_providers(
    gateway_factory: GatewayFactory, provider: FakeProvider, fake: PluginClass
) -> None:
    other = plugin_with("provider.other", register_providers=[FakeProvider("one"), FakeProvider("two")])
    async with gateway_factory(config_of(fake, other), [fake, other]) as gateway, gateway.client as client:
        assert said(await chat(gateway)) == FAKE_ANSWER
        assert said(await chat(gateway, "two/good")) == FAKE_ANSWER
        models = [model["id"] for model in (await client.get("/v1/models")).json()["data"]]
        assert {"fake/good", "one/good", "two/good", "safe"} <= set(models)
    assert [attempt.target.model for attempt in provider.attempts] == ["good"]


class Header:
    """Knows callers by the header `x-caller`."""

    def __init__(self, name: str, caller: str) -> None:
        self.name = name
        self.caller = caller

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        value = incoming.headers.get(b"x-caller", b"").decode()
        if value == "bad":
            raise AuthenticationFailed(f"{self.name} says no.")
        return Principal(tenant=value, authenticator=self.name) if value == self.caller else None


async def test_hook_register_authenticators(gateway_factory: GatewayFactory, fake: PluginClass) -> None:
    first = plugin_with("auth.first", register_authenticators=[Header("first", "ann")])
    second = plugin_with("auth.second", register_authenticators=[Header("second", "bob")])
    plugins = [second, first, fake]
    async with gateway_factory(config_of(*plugins), plugins) as gateway:
        for caller, status, words in (
            ("ann", 200, FAKE_ANSWER),
            ("bob", 200, FAKE_ANSWER),
            ("bad", 401, "second says no."),
            ("eve", 401, "No API key"),
        ):
            answer = await chat(gateway, headers={"x-caller": caller})
            assert answer.status == status
            assert words in answer.body.decode()
        tenants = {row.tenant for row in await list_calls(database(gateway), limit=10)}
    assert tenants == {"ann", "bob"}


class Tracer:
    """Writes down when it is called."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    async def around_call(self, call: Call, proceed: Proceed) -> Answer:
        self.log.append(f"{self.name} call")
        answer = await proceed(call)
        answer.headers.append((b"x-seen-by", self.name.encode()))
        return answer

    async def around_attempt(self, attempt: Attempt, proceed: ProceedAttempt) -> Answer:
        self.log.append(f"{self.name} attempt {attempt.number} at {attempt.target.model}")
        return await proceed(attempt)

    def finished(self, call: Call, outcome: Outcome) -> None:
        self.log.append(f"{self.name} {outcome.status} after {outcome.attempts} for {call.model}")


async def test_hook_register_interceptors(gateway_factory: GatewayFactory, fake: PluginClass) -> None:
    log: list[str] = []
    outer = plugin_with("middleware.outer", register_interceptors=[Tracer("outer", log)])
    inner = plugin_with("middleware.inner", register_interceptors=[Tracer("inner", log)])
    plugins = [outer, inner, fake]
    async with gateway_factory(config_of(*plugins), plugins) as gateway:
        answer = await chat(gateway, "safe")
    assert said(answer) == FAKE_ANSWER
    assert answer.headers["x-seen-by"] in {"inner", "outer"}
    assert log == [
        "outer call",
        "inner call",
        "outer attempt 1 at fail",
        "inner attempt 1 at fail",
        "outer attempt 2 at good",
        "inner attempt 2 at good",
        "outer success after 2 for safe",
        "inner success after 2 for safe",
    ]


class Breaker:
    """Lets no attempt reach the first target."""

    async def around_attempt(self, attempt: Attempt, proceed: ProceedAttempt) -> Answer:
        if attempt.number == 1:
            raise ProviderError("Open.", provider=attempt.target.provider, code="open")
        return await proceed(attempt)


async def test_an_interceptor_may_refuse_an_attempt(
    gateway_factory: GatewayFactory, provider: FakeProvider, fake: PluginClass
) -> None:
    breaker = plugin_with("middleware.breaker", register_interceptors=[Breaker()])
    async with gateway_factory(config_of(breaker, fake), [breaker, fake]) as gateway:
        assert said(await chat(gateway, "safe")) == FAKE_ANSWER
    assert [attempt.target.model for attempt in provider.attempts] == ["good"]


class Stamp:
    """Pure ASGI middleware that leaves its mark on every answer."""

    def __init__(self, app: ASGIApp, mark: str) -> None:
        self.app = app
        self.mark = mark

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def stamp(message: Message) -> None:
            if message["type"] == "http.response.start":
                before = dict(message["headers"]).get(b"x-stamps", b"")
                others = [field for field in message["headers"] if field[0] != b"x-stamps"]
                message = {**message, "headers": [*others, (b"x-stamps", before + self.mark.encode())]}
            await send(message)

        await self.app(scope, receive, stamp)


async def test_hook_register_asgi_middleware(gateway_factory: GatewayFactory, fake: PluginClass) -> None:
    outer = plugin_with("middleware.outer", register_asgi_middleware=[Middleware(Stamp, mark="o")])
    inner = plugin_with("middleware.inner", register_asgi_middleware=[Middleware(Stamp, mark="i")])
    plugins = [outer, inner, fake]
    async with gateway_factory(config_of(*plugins), plugins) as gateway, gateway.client as client:
        assert (await chat(gateway)).headers["x-stamps"] == "io"
        for path in ("/healthz", "/v1/models", "/nowhere"):
            assert (await client.get(path)).headers["x-stamps"] == "io"


purses = Table(
    "purses",
    MetaData(),
    Column("tenant", String(64), primary_key=True),
    Column("left", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
)

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "purses_1"
down_revision = None
branch_labels = ("purses",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "purses",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("left", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.BigInteger, nullable=False),
    )
"""

ADD = Add(purses)


class Purse:
    """Each tenant may make as many calls as its purse holds."""

    def __init__(self) -> None:
        taken = update(purses).where(purses.c.left > 0).values(left=purses.c.left - 1)
        self.take = Guard(taken, refusal=lambda: QuotaExceeded("The purse is empty."))

    def on_open(self, call: Call) -> Sequence[Write]:
        assert call.principal.tenant
        return (Write(self.take, ()),)

    def on_settle(self, call: Call, outcome: Outcome) -> Sequence[Write]:
        assert outcome.status != "processing"
        return (Write(ADD, (call.principal.tenant, 0, 1)),)


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "purses_1.py").write_text(MIGRATION)
    return folder


def database(gateway: Gateway) -> Any:
    return gateway.registry.plugins[0].context.database


async def test_hook_register_billing(
    gateway_factory: GatewayFactory, provider: FakeProvider, fake: PluginClass, migrations: Path
) -> None:
    billing = plugin_with("billing.purse", register_billing=[Purse()], register_migrations=[migrations])
    async with gateway_factory(config_of(billing, fake), [billing, fake]) as gateway:
        async with database(gateway).begin() as connection:
            await connection.execute(purses.insert().values(tenant="default", left=2, settled=0))
        answers = [await chat(gateway, model) for model in ("fake/good", "fake/fail", "fake/good")]
        assert [answer.status for answer in answers] == [200, 429, 402]
        assert answers[-1].json()["error"]["code"] == "insufficient_quota"
        assert len(provider.attempts) == 2, "the provider was called although the purse was empty"
    async with gateway.lifespan():
        rows = await list_calls(database(gateway), limit=10)
        assert sorted(row.status for row in rows) == ["failed", "success"]
        async with database(gateway).connect() as connection:
            assert (await connection.execute(select(purses))).all() == [("default", 0, 2)]


async def test_hook_register_sinks(gateway_factory: GatewayFactory, fake: PluginClass) -> None:
    sink, flaky = MemorySink(), MemorySink("flaky", failures=1)
    plugin = plugin_with("sink.memory", register_sinks=[sink, flaky])
    async with gateway_factory(config_of(plugin, fake), [plugin, fake]) as gateway:
        await chat(gateway)
        await asyncio.gather(sink.arrived.wait(), flaky.arrived.wait())
    (record,) = sink.records
    assert (record["provider"], record["status"], record["model"]) == ("fake", "success", "fake/good")
    assert [again["id"] for again in flaky.records] == [record["id"]]


class Shared(MemoryStorage):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def incr(self, *args: Any, **kwargs: Any) -> int:
        self.asked += 1
        return await super().incr(*args, **kwargs)


async def test_hook_register_counters(gateway_factory: GatewayFactory, fake: PluginClass) -> None:
    """Two gateways that share a storage share a limit."""
    storage = Shared()
    counters = plugin_with("service.counters", register_counters=[storage])
    config = config_of(counters, fake) | {"middleware": {"ratelimit": {"requests_per_minute": 2}}}
    async with (
        gateway_factory(config, [counters, fake]) as one,
        gateway_factory(config, [counters, fake]) as two,
    ):
        statuses = [(await chat(gateway)).status for gateway in (one, two, one, two)]
    assert statuses == [200, 200, 429, 429]
    assert storage.asked


async def test_hook_register_routes(gateway_factory: GatewayFactory, fake: PluginClass) -> None:
    async def hello(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("hello")

    plugin = plugin_with("service.hello", register_routes=[Route("/hello", hello)])
    async with gateway_factory(config_of(plugin, fake), [plugin, fake]) as gateway, gateway.client as client:
        response = await client.get("/hello")
        assert (response.status_code, response.text) == (200, "hello")
        assert response.headers["x-request-id"].startswith("req_")
        assert (await client.post("/hello")).status_code == 405


class Pigeon:
    """A transport that makes one call by itself when it starts, and notes when it is stopped."""

    name = "pigeon"

    def __init__(self) -> None:
        self.answered: asyncio.Future[AsgiAnswer] = asyncio.Future()
        self.stopped = False

    async def serve(self, app: Gateway) -> None:
        try:
            self.answered.set_result(await chat(app))
            await asyncio.Event().wait()
        finally:
            self.stopped = True


async def test_hook_register_transports(gateway_factory: GatewayFactory, fake: PluginClass) -> None:
    pigeon = Pigeon()
    plugin = plugin_with("service.pigeon", register_transports=[pigeon])
    async with gateway_factory(config_of(plugin, fake), [plugin, fake]):
        assert said(await pigeon.answered) == FAKE_ANSWER
        assert not pigeon.stopped
    assert pigeon.stopped


async def test_hook_register_admin_pages(gateway_factory: GatewayFactory, fake: PluginClass) -> None:
    async def page(_request: Request) -> PlainTextResponse:
        return PlainTextResponse("a page")

    plugin = plugin_with("service.page", register_admin_pages=[Route("/page", page)])
    async with gateway_factory(config_of(plugin, fake), [plugin, fake]) as gateway, gateway.client as client:
        assert (await client.get("/admin/page")).text == "a page"
        assert (await client.get("/page")).status_code == 404
        assert (await client.get("/admin/other")).json()["error"]["code"] == "unknown_url"


def test_hook_register_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.cli import main
    from gateway.loader import Catalogue

    @click.command()
    def greet() -> None:
        """Say hello."""
        click.echo("hello")

    plugin = plugin_with("service.greeter", register_commands=[greet])
    known = Catalogue.__init__

    def with_greeter(self: Catalogue, extra: Sequence[PluginClass] = ()) -> None:
        known(self, [*extra, plugin])

    monkeypatch.setattr(Catalogue, "__init__", with_greeter)
    config = tmp_path / "plugins.toml"
    config.write_text("[service.greeter]\n")
    shown = CliRunner().invoke(main, ["-c", str(config), "greet", "--help"])
    assert "Say hello." in shown.output
    ran = CliRunner().invoke(main, ["-c", str(config), "greet"])
    assert (ran.exit_code, ran.output) == (0, "hello\n")


async def test_hook_register_migrations(
    gateway_factory: GatewayFactory, fake: PluginClass, migrations: Path
) -> None:
    plugin = plugin_with("service.purses", register_migrations=[migrations])
    async with gateway_factory(config_of(plugin, fake), [plugin, fake]) as gateway:
        async with database(gateway).connect() as connection:
            assert (await connection.execute(select(purses))).all() == []
        assert said(await chat(gateway)) == FAKE_ANSWER
