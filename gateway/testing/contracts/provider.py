"""What a provider promises: whole answers, streams, usage, errors in the gateway's words, and connections let go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

import pytest

from gateway.errors import ProviderError
from gateway.protocols import Provider
from gateway.testing import replies
from gateway.testing.contracts.plugin import NAME, PluginContract, secrets_of
from gateway.testing.contracts.running import in_event_loop
from gateway.testing.fakes import make_call, plugin_context
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Answer, Attempt, Call, Capability, Dialect, Target
from gateway.wire import CODECS, WIRES, Exchange, StreamCut, StreamReader, exchange

Situation: TypeAlias = Literal["answer", "stream", "refusal", "cut", "hang"]
"""A whole answer; a streamed one; 429 with `retry-after`; a stream that breaks off; no answer at all."""

TEXT = "Hello from the fake upstream, word by word."
MODEL = "contract-model"
PENDING_SECONDS = 0.2


class ProviderContract(PluginContract):
    """The suite for providers. Set `plugin` and `config`; override `arrange` when it does not speak to OpenAI's like."""

    kind: ClassVar[str] = "provider"
    capability: ClassVar[Capability] = "chat"
    """What is asked of it."""
    dialect: ClassVar[Dialect] = "openai.chat"
    """In which dialect a client asks; translated where the provider speaks another."""

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any] | None:
        """Bring a situation about: script the upstream, and return the client's request, in `dialect`.

        None when it cannot come about. As it stands it plays an OpenAI-compatible chat service.
        """
        events = tuple(replies.completion_events(TEXT, MODEL))
        event_stream = {"content-type": "text/event-stream"}
        json_body = {"content-type": "application/json", "set-cookie": "session=upstream"}
        message = f"Too many requests for {', '.join(secrets_of(self.validated()))}."
        match situation:
            case "answer":
                upstream.reply(Reply(headers=json_body, parts=[replies.completion(TEXT, MODEL)]))
            case "stream":
                upstream.reply(Reply(headers=event_stream, parts=events))
            case "refusal":
                body = replies.refusal(message, code="busy")
                upstream.reply(Reply(status=429, headers={**json_body, "retry-after": "2"}, parts=[body]))
            case "cut":
                upstream.reply(Reply(headers=event_stream, parts=events[:3], ending="cut"))
            case "hang":
                upstream.reply(Reply(ending="hang"))
        return self.request(stream=situation in {"stream", "cut"})

    def request(self, text: str = "Hello?", *, model: str = MODEL, stream: bool = False) -> dict[str, Any]:
        """Make a short chat as OpenAI's SDK sends it."""
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": text}]}
        return {**body, "stream": True, "stream_options": {"include_usage": True}} if stream else body

    @asynccontextmanager
    async def provider(self, folder: Path, upstream: str) -> AsyncGenerator[Provider]:
        """Start the plugin by itself, with an HTTP client and a database of its own."""
        context = plugin_context(folder)
        plugin = self.plugin(NAME, self.validated(upstream), context)
        await plugin.startup()
        try:
            (provider,) = _providers(plugin)
            yield provider
        finally:
            await plugin.shutdown()
            await context.client.close()
            await context.database.close()

    @asynccontextmanager
    async def attempt(self, situation: Situation, folder: Path) -> AsyncGenerator[_Trial]:
        """Bring a situation about, with everything ready to send."""
        async with FakeUpstream() as upstream:
            body = self.arrange(situation, upstream)
            if body is None:
                pytest.skip(f"it cannot come to: {situation}")
            async with self.provider(folder, upstream.url) as provider:
                call = make_call(body, dialect=self.dialect)
                yield _Trial(provider, upstream, *_attempt(provider, self.capability, call))

    def test_describes_what_it_can_do(self, tmp_path: Path) -> None:
        for name in (NAME, "another"):
            plugin = self.plugin(name, self.validated(), plugin_context(tmp_path))
            (provider,) = _providers(plugin)
            assert isinstance(provider, Provider)
            assert provider.name == name, "a provider is called what its table in plugins.toml is called"
            assert self.capability in provider.dialects
            known = set(WIRES) | set(CODECS)
            assert set(provider.dialects.values()) <= known, "the gateway does not speak that dialect"
            assert all(isinstance(model, str) for model in (provider.catalogue, *provider.models))

    @in_event_loop
    async def test_answers(self, tmp_path: Path) -> None:
        async with self.attempt("answer", tmp_path) as trial:
            answer = await trial.send()
            assert answer.status == HTTPStatus.OK
            assert answer.stream is None
            _, usage = trial.turn.whole(answer.body)
            assert not usage.estimated, "the answer reports no usage"
            _check_headers(answer)

    @in_event_loop
    async def test_streams(self, tmp_path: Path) -> None:
        async with self.attempt("stream", tmp_path) as trial:
            answer = await trial.send()
            reader = await trial.read(answer)
            assert reader.finished
            assert reader.usage is not None, "the stream reports no usage"
            _check_headers(answer)

    @in_event_loop
    async def test_keeps_what_the_provider_said(self, tmp_path: Path) -> None:
        async with self.attempt("refusal", tmp_path) as trial:
            with pytest.raises(ProviderError) as caught:
                await trial.send()
            error = caught.value
            assert (error.status, error.provider) == (429, NAME)
            assert error.can_fall_back, "another provider may well answer"
            assert dict(error.headers).get(b"retry-after") == b"2"
            for secret in secrets_of(self.validated()):
                assert secret not in error.message, "a secret in an error message"

    @in_event_loop
    async def test_a_cut_is_no_end(self, tmp_path: Path) -> None:
        async with self.attempt("cut", tmp_path) as trial:
            with pytest.raises((ProviderError, StreamCut)):
                await trial.read(await trial.send())

    @in_event_loop
    async def test_an_unreachable_service_is_a_provider_error(self, tmp_path: Path) -> None:
        async with FakeUpstream() as upstream:
            body = self.arrange("answer", upstream)
        if body is None or self.settings("A") == self.settings("B"):
            pytest.skip("it calls no service over the network")
        async with self.provider(tmp_path, upstream.url) as provider:
            attempt, _ = _attempt(provider, self.capability, make_call(body, dialect=self.dialect))
            with pytest.raises(ProviderError) as caught:
                await provider.send(attempt)
        assert caught.value.status in {502, 503, 504}
        assert caught.value.can_fall_back

    @in_event_loop
    async def test_close_lets_go(self, tmp_path: Path) -> None:
        async with self.attempt("stream", tmp_path) as trial:
            answer = await trial.send()
            assert answer.stream is not None
            await anext(aiter(answer.stream))
            if answer.close is not None:
                answer.close()
                answer.close()
            await trial.upstream.released()

    @in_event_loop
    async def test_cancelling_lets_go(self, tmp_path: Path) -> None:
        async with self.attempt("hang", tmp_path) as trial:
            sending = asyncio.create_task(trial.send())
            reached = asyncio.create_task(trial.upstream.reached())
            await asyncio.wait({sending, reached}, timeout=PENDING_SECONDS, return_when="FIRST_COMPLETED")
            assert not sending.done(), "it answered where it should have waited"
            sending.cancel()
            reached.cancel()
            assert isinstance(
                (await asyncio.gather(sending, reached, return_exceptions=True))[0], asyncio.CancelledError
            )
            await trial.upstream.released()

    @in_event_loop
    async def test_answers_many_at_once(self, tmp_path: Path) -> None:
        async with self.attempt("answer", tmp_path) as trial:
            answers = await asyncio.gather(*(trial.send() for _ in range(20)))
            assert not any(trial.turn.whole(answer.body)[1].estimated for answer in answers)

    @in_event_loop
    async def test_serves_a_client_of_the_gateway(self, tmp_path: Path) -> None:
        async with FakeUpstream() as upstream:
            body = self.arrange("answer", upstream)
            if self.capability != "chat" or body is None:
                pytest.skip("it does not chat")
            async with (
                self.gateway(tmp_path, settings=self.settings(upstream.url)) as gateway,
                gateway.client as client,
            ):
                body = {**body, "model": f"{NAME}/{body['model']}"}
                response = await client.post("/v1/chat/completions", json=body)
                assert response.status_code == HTTPStatus.OK, response.text


class _Trial:
    """A provider, the service behind it, and what to send."""

    def __init__(self, provider: Provider, upstream: FakeUpstream, attempt: Attempt, turn: Exchange) -> None:
        self.provider = provider
        self.upstream = upstream
        self.attempt = attempt
        self.turn = turn

    async def send(self) -> Answer:
        return await self.provider.send(self.attempt)

    async def read(self, answer: Answer) -> StreamReader:
        """Read a stream to its end. Raises what the provider raises, and `StreamCut` when it ended too soon."""
        assert answer.stream is not None, "a stream was asked for"
        reader = self.turn.reader()
        async for chunk in answer.stream:
            assert chunk, "an empty chunk"
            reader.feed(chunk)
        reader.end()
        return reader


def _providers(plugin: Any) -> tuple[Provider, ...]:
    return tuple(plugin.register_providers())


def _attempt(provider: Provider, capability: Capability, call: Call) -> tuple[Attempt, Exchange]:
    target = Target(provider.name, call.model, provider.dialects[capability])
    turn = exchange(call, target.dialect, provider=provider.name)
    body = turn.prepare(target.model)
    return Attempt(call=call, target=target, number=1, body=body, content_type=turn.content_type), turn


def _check_headers(answer: Answer) -> None:
    names = [name for name, _ in answer.headers]
    assert b"content-type" in names
    assert all(name == name.lower() for name in names)
    kept = {b"set-cookie", b"content-length", b"transfer-encoding", b"connection"} & set(names)
    assert not kept, f"these headers are between gateway and provider: {kept}"
