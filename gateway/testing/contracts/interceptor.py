"""What middleware promises: answers pass unharmed, errors stay errors, and nobody gets another's answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar

from gateway.app import Gateway
from gateway.testing import replies
from gateway.testing.asgi import AsgiAnswer, post
from gateway.testing.contracts.plugin import PluginContract
from gateway.testing.contracts.running import in_event_loop
from gateway.testing.fakes import FAKE_ANSWER, FakeProvider, plugin_with
from gateway.types import Call, Outcome


class InterceptorContract(PluginContract):
    """The suite for middleware. Set `plugin`, and a `config` under which calls are let through."""

    kind: ClassVar[str] = "middleware"

    @asynccontextmanager
    async def around(self, folder: Path) -> AsyncGenerator[_Inside]:
        """Start a gateway whose calls pass through this plugin to a fake provider."""
        inside = _Inside()
        others = [
            plugin_with("middleware.inside", register_interceptors=[inside]),
            plugin_with("provider.fake", register_providers=[inside.provider]),
        ]
        async with self.gateway(folder, plugins=others) as gateway:
            inside.gateway = gateway
            yield inside

    @in_event_loop
    async def test_whole_answers_pass_unchanged(self, tmp_path: Path) -> None:
        async with self.around(tmp_path) as inside:
            response = await inside.chat("good")
            assert response.status == HTTPStatus.OK, response.body
            assert response.body == replies.completion(FAKE_ANSWER, "good")

    @in_event_loop
    async def test_streams_pass_unchanged(self, tmp_path: Path) -> None:
        async with self.around(tmp_path) as inside:
            response = await inside.chat("good", stream=True)
            assert response.status == HTTPStatus.OK, response.body
            assert response.body == b"".join(replies.completion_events(FAKE_ANSWER, "good"))

    @in_event_loop
    async def test_errors_stay_errors(self, tmp_path: Path) -> None:
        async with self.around(tmp_path) as inside:
            response = await inside.chat("fail")
            assert response.status == HTTPStatus.TOO_MANY_REQUESTS
            assert response.json()["error"]["code"] == "busy"
            assert response.headers["retry-after"] == "2"
            assert inside.outcomes[-1].status == "failed"

    @in_event_loop
    async def test_a_cut_stream_stays_cut(self, tmp_path: Path) -> None:
        async with self.around(tmp_path) as inside:
            response = await inside.chat("cut", stream=True)
            assert not response.ended
            assert b"upstream_cut" in response.body
            assert inside.outcomes[-1].status == "failed"

    @in_event_loop
    async def test_cancellation_goes_through(self, tmp_path: Path) -> None:
        async with self.around(tmp_path) as inside:
            calling = asyncio.create_task(inside.chat("hang"))
            await inside.provider.reached.wait()
            calling.cancel()
            (result,) = await asyncio.gather(calling, return_exceptions=True)
            assert isinstance(result, asyncio.CancelledError)
            assert inside.outcomes[-1].status == "cancelled"

    @in_event_loop
    async def test_everybody_gets_their_own_answer(self, tmp_path: Path) -> None:
        async with self.around(tmp_path) as inside:
            names = [f"model-{number}" for number in range(20)]
            responses = await asyncio.gather(*(inside.chat(name) for name in names))
            assert [response.json()["model"] for response in responses] == names
            assert len(inside.outcomes) == len(names)


class _Inside:
    """The gateway outside, the provider behind, and an interceptor within that is told how calls end."""

    gateway: Gateway

    def __init__(self) -> None:
        self.provider = FakeProvider()
        self.outcomes: list[Outcome] = []

    def finished(self, call: Call, outcome: Outcome) -> None:
        assert call.id
        self.outcomes.append(outcome)

    async def chat(self, model: str, *, stream: bool = False) -> AsgiAnswer:
        body: dict[str, Any] = {
            "model": f"fake/{model}",
            "messages": [{"role": "user", "content": "Hello?"}],
        }
        if stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return await post(self.gateway, "/v1/chat/completions", body)
