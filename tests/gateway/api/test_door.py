"""`context.calls`: routes of a plugin's own that make calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gateway import Gateway, Plugin, PluginConfig, hookimpl
from gateway.errors import PermissionDenied, ProviderError
from gateway.store.calls import list_calls
from gateway.testing.asgi import AsgiAnswer, post
from gateway.testing.fakes import FAKE_ANSWER, FakeProvider, plugin_with
from gateway.testing.pytest_plugin import GatewayFactory


def chat(model: str, *, stream: bool = False) -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": "Hello?"}]}


class Asking:
    """Makes a chat of a question, and tells the answer's text alone."""

    def __init__(self, plugin: Plugin[Any]) -> None:
        self._context = plugin.context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = await self._context.calls.enter(scope, receive, send)
        if b"x-forbidden" in visit.headers:
            raise PermissionDenied("Not you.")
        model = json.loads(await visit.body())["ask"]
        try:
            answer = await visit.ask("openai.chat", json.dumps(chat(model)).encode())
        except ProviderError as error:
            await JSONResponse({"failed": error.code}, 502)(scope, receive, send)
            return
        said = json.loads(answer.body)["choices"][0]["message"]["content"]
        await JSONResponse({"said": said, "tenant": visit.principal.tenant})(scope, receive, send)


class Chatting:
    """Hands a chat on."""

    def __init__(self, plugin: Plugin[Any]) -> None:
        self._context = plugin.context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = await self._context.calls.enter(scope, receive, send)
        await visit.answer("openai.chat", await visit.body())


class Own(Plugin[PluginConfig]):
    id = "service.own"

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        assert self.context.calls
        return (
            Route("/own/ask", Asking(self), methods=["POST"]),
            Route("/own/chat", Chatting(self), methods=["POST"]),
        )


PLUGINS = (plugin_with("provider.fake", register_providers=[FakeProvider()]), Own)
CONFIG: dict[str, Any] = {"provider": {"fake": {}}, "service": {"own": {}}}


async def rows(gateway: Gateway) -> list[Any]:
    """The calls, once none of them is open: an answer may be there a moment before its settlement."""
    async with asyncio.timeout(30):
        while any(row.status == "processing" for row in await list_calls(gateway._context.database)):
            await asyncio.sleep(0.01)
    return list(await list_calls(gateway._context.database))


async def test_ask_returns_the_whole_answer_and_the_call_is_in_the_ledger(
    gateway_factory: GatewayFactory,
) -> None:
    async with gateway_factory(CONFIG, PLUGINS) as gateway:
        answer = await post(gateway, "/own/ask", {"ask": "fake/good"})
        assert (answer.status, answer.json()) == (200, {"said": FAKE_ANSWER, "tenant": "default"})
        (call,) = await rows(gateway)
        assert (call.status, call.model, call.dialect) == ("success", "fake/good", "openai.chat")


async def test_ask_raises_what_the_provider_refused(gateway_factory: GatewayFactory) -> None:
    async with gateway_factory(CONFIG, PLUGINS) as gateway:
        answer = await post(gateway, "/own/ask", {"ask": "fake/fail"})
        assert answer.status == 502
        (call,) = await rows(gateway)
        assert call.status == "failed"


async def test_what_a_route_refuses_is_answered_as_an_error_and_makes_no_call(
    gateway_factory: GatewayFactory,
) -> None:
    async with gateway_factory(CONFIG, PLUGINS) as gateway:
        answer = await post(gateway, "/own/ask", {"ask": "fake/good"}, {"x-forbidden": "1"})
        assert (answer.status, answer.json()["error"]["code"]) == (403, "permission_denied")
        assert await rows(gateway) == []


@pytest.mark.parametrize("stream", [False, True])
async def test_answer_is_what_the_gateways_own_endpoint_answers(
    gateway_factory: GatewayFactory, stream: bool
) -> None:
    async with gateway_factory(CONFIG, PLUGINS) as gateway:
        own, core = [
            await post(gateway, path, chat("fake/good", stream=stream))
            for path in ("/own/chat", "/v1/chat/completions")
        ]
        assert (own.status, own.body) == (core.status, core.body)
        assert [call.status for call in await rows(gateway)] == ["success", "success"]


async def test_answer_words_errors_too(gateway_factory: GatewayFactory) -> None:
    async with gateway_factory(CONFIG, PLUGINS) as gateway:
        unread: AsgiAnswer = await post(gateway, "/own/chat", {"messages": []})
        assert (unread.status, unread.json()["error"]["param"]) == (400, "model")
        unknown = await post(gateway, "/own/chat", chat("nobody/knows"))
        assert (unknown.status, unknown.json()["error"]["code"]) == (404, "model_not_found")
