"""What tenants may do, held in every call: state, models, providers; and without a cost where there are no rules."""

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway import Gateway, Plugin, PluginConfig, hookimpl
from gateway.protocols import Authenticator, Incoming
from gateway.store.audit import Actor
from gateway.store.tenants import (
    TenantSettings,
    change_tenant,
    create_tenant,
    resume_tenant,
    suspend_tenant,
)
from gateway.testing.asgi import AsgiAnswer, post
from gateway.testing.fakes import FakeProvider, plugin_with
from gateway.testing.pytest_plugin import GatewayFactory
from gateway.types import Principal, narrowed

ACTOR = Actor(kind="command", id="root")
ONE, OTHER = FakeProvider("one"), FakeProvider("other")
MODELS = {"fast": {"targets": ["one:good", "other:good"]}}


class Named(Plugin[PluginConfig]):
    """Believes `x-tenant`, and `x-scopes`."""

    id = "auth.named"

    @hookimpl
    def register_authenticators(self) -> Sequence[Authenticator]:
        return (self,)

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        tenant = incoming.headers.get(b"x-tenant", b"acme").decode()
        if b"x-scopes" in incoming.headers:
            scopes = frozenset(incoming.headers[b"x-scopes"].decode().split())
            return Principal(tenant=tenant, authenticator="named", scopes=scopes)
        return Principal(tenant=tenant, authenticator="named")


PLUGINS = [
    Named,
    plugin_with("provider.one", register_providers=[ONE]),
    plugin_with("provider.other", register_providers=[OTHER]),
]
CONFIG: dict[str, Any] = {"provider": {"one": {}, "other": {}}, "auth": {"named": {}}, "models": MODELS}


async def chat(gateway: Gateway, model: str, **headers: str) -> AsgiAnswer:
    body = {"model": model, "messages": [{"role": "user", "content": "Hello?"}]}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await post(gateway, "/v1/chat/completions", body, named)


async def settle(gateway: Gateway) -> None:
    """Let the gateway see what was changed, as it does by itself within half a second."""
    await gateway._context.changes.look()


async def test_a_suspended_tenant_is_refused_in_each_dialect(gateway_factory: GatewayFactory):
    async with gateway_factory(CONFIG, PLUGINS) as gateway:
        database = gateway._context.database
        await create_tenant(database, "acme", actor=ACTOR)
        assert (await chat(gateway, "fast")).status == 200
        await suspend_tenant(database, "acme", operator_tenant="default", actor=ACTOR)
        await settle(gateway)
        refused = await chat(gateway, "fast")
        assert (refused.status, refused.json()["error"]["code"]) == (403, "tenant_suspended")
        body = {"model": "fast", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello?"}]}
        anthropic = await post(gateway, "/v1/messages", body)
        assert (anthropic.status, anthropic.json()["type"]) == (403, "error")
        assert anthropic.json()["error"]["type"] == "permission_error"
        async with gateway.client as client:
            assert (await client.get("/v1/models")).status_code == 403
            assert (await client.get("/v1/files")).status_code == 403
        assert (await chat(gateway, "fast", x_tenant="globex")).status == 200
        await resume_tenant(database, "acme", actor=ACTOR)
        await settle(gateway)
        assert (await chat(gateway, "fast")).status == 200


async def test_models_and_providers_of_a_tenant(gateway_factory: GatewayFactory):
    async with gateway_factory(CONFIG, PLUGINS) as gateway:
        database = gateway._context.database
        await create_tenant(
            database, "acme", TenantSettings(models=("fast", "other/*"), providers=("other",)), actor=ACTOR
        )
        await settle(gateway)
        ONE.attempts.clear()
        OTHER.attempts.clear()
        assert (await chat(gateway, "fast")).status == 200
        assert (len(ONE.attempts), len(OTHER.attempts)) == (
            0,
            1,
        )  # the alias prefers the provider it may not use
        forbidden = await chat(gateway, "one/good")
        assert (forbidden.status, forbidden.json()["error"]["code"]) == (403, "model_not_allowed")
        async with gateway.client as client:
            listed = (await client.get("/v1/models")).json()["data"]
            assert {model["id"] for model in listed} == {
                "fast",
                *(f"other/{name}" for name in OTHER.models),
            }
            assert (await client.get("/v1/models/one/good")).status_code == 404
        await change_tenant(database, "acme", TenantSettings(models=None, providers=("one",)), actor=ACTOR)
        await settle(gateway)
        nowhere = await chat(gateway, "other/good")
        assert (nowhere.status, nowhere.json()["error"]["code"]) == (403, "provider_not_allowed")
        await change_tenant(database, "acme", TenantSettings(providers=None), actor=ACTOR)
        await settle(gateway)
        assert (await chat(gateway, "other/good")).status == 200
        assert gateway._context.tenants.policies == {}


async def test_without_the_permission_nobody_makes_calls(gateway_factory: GatewayFactory):
    async with gateway_factory(CONFIG, PLUGINS) as gateway:
        refused = await chat(gateway, "fast", x_scopes="keys.read usage.read")
        assert (refused.status, refused.json()["error"]["code"]) == (403, "permission_denied")
        assert (await chat(gateway, "fast", x_scopes="calls.make")).status == 200


async def test_every_gateway_on_the_database_sees_a_change_by_itself(gateway_factory: GatewayFactory):
    async with gateway_factory(CONFIG, PLUGINS) as one, gateway_factory(CONFIG, PLUGINS) as other:
        await create_tenant(one._context.database, "acme", actor=ACTOR)
        await suspend_tenant(one._context.database, "acme", operator_tenant="default", actor=ACTOR)
        async with asyncio.timeout(30):
            for gateway in (one, other):
                while (await chat(gateway, "fast")).status != 403:
                    await asyncio.sleep(0.05)


NAMES = st.sampled_from(["", "a", "ab", "abc", "b", "bc", "c"])
ENTRIES = st.one_of(NAMES.filter(bool), NAMES.map(lambda name: name + "*"))
LISTS = st.none() | st.lists(ENTRIES, max_size=4).map(tuple)


@given(one=LISTS, other=LISTS, model=st.text("abc", max_size=4))
def test_what_both_lists_admit_is_admitted(
    one: tuple[str, ...] | None, other: tuple[str, ...] | None, model: str
):
    def admits(names: tuple[str, ...] | None) -> bool:
        return Principal(tenant="t", authenticator="a", models=names).may_use(model)

    assert admits(narrowed(one, other)) == (admits(one) and admits(other))
