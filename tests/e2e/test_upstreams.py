"""Providers that misbehave, behind `provider.openai`: the client always learns what happened."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import openai
import pytest
from openai import AsyncOpenAI

from .support.asking import CONFIG, ask, stream
from .support.faults import BREAKS, EARLY, WHOLE, too_many
from .support.process import Deployment, deployment
from .support.raw import RawClient, chat_body, events, request
from .support.upstream import Exchange, Handler, Upstream, completion

Run = Callable[[Handler], Upstream]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, base_url: str) -> Iterator[Deployment]:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: refuses
        config = CONFIG.format(base_url=base_url, closed=closed.getsockname()[1])
        with deployment(tmp_path_factory.mktemp("upstreams"), config) as served:
            yield served


@pytest.fixture
async def sdk(served: Deployment) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=30) as client:
        yield client


async def test_unknown_fields_pass_both_ways(sdk: AsyncOpenAI, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.json["stream"]:
            await exchange.begin()
            await exchange.say("hi", x_chunk={"y": [1]})
            await exchange.finish()
        else:
            await exchange.answer(completion(x_new={"deep": [1, 2.50, None]}))

    async with upstream(handler) as up:
        answer = await ask(sdk, extra_body={"x_option": {"a": "ü"}}, stream=False, temperature=0.25)
        assert answer.model_extra["x_new"] == {"deep": [1, 2.5, None]}
        chunks = [c async for c in await ask(sdk, extra_body={"x_option": 2}, stream=True)]
        assert chunks[0].model_extra["x_chunk"] == {"y": [1]}
        first, second = up.exchanges
    assert first.json["x_option"] == {"a": "ü"}
    assert first.json["temperature"] == 0.25
    assert first.json["model"] == "m"
    assert first.path == "/v1/chat/completions"
    assert first.headers["authorization"] == "Bearer sk-upstream-secret-0123456789"
    assert second.json["stream_options"] == {"include_usage": True}


async def test_the_clients_headers_do_not_reach_the_provider(served: Deployment, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(
            completion(), headers=["set-cookie: a=b", "server: nginx", "x-ratelimit-remaining-requests: 3"]
        )

    async with upstream(handler) as up, RawClient(served.port) as raw:
        await raw.ask(
            request(
                chat_body(model="up/m"),
                key="gw_client",
                headers={"cookie": "c=d", "x-forwarded-for": "10.0.0.1"},
            )
        )
        assert raw.status == 200
        (exchange,) = up.exchanges
    assert not {"cookie", "x-forwarded-for"} & set(exchange.headers)
    assert "gw_client" not in str(exchange.headers)
    assert not {"set-cookie", "server", "x-ratelimit-remaining-requests"} & set(raw.headers)


async def test_a_hang_before_the_head_is_504(sdk: AsyncOpenAI, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.hang()

    async with upstream(handler) as up:
        with pytest.raises(openai.InternalServerError) as failed:
            await ask(sdk)
        assert failed.value.status_code == 504
        assert failed.value.code == "upstream_timeout"
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 30)


async def test_a_hang_in_a_whole_answer_is_504(sdk: AsyncOpenAI, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        await exchange.hang()

    async with upstream(handler) as up:
        with pytest.raises(openai.InternalServerError) as failed:
            await ask(sdk)
        assert failed.value.status_code == 504
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 30)


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("model", ["up/m", "safe"])
async def test_a_stream_that_breaks_off_is_an_error_and_never_a_clean_end(
    served: Deployment, sdk: AsyncOpenAI, upstream: Run, name: str, model: str
) -> None:
    breaking, code = BREAKS[name]
    seen = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("first")
        await seen.wait()
        await breaking(exchange)

    async with upstream(handler) as up:
        texts: list[str] = []
        with pytest.raises(openai.APIError) as failed:
            await stream(sdk, texts, model=model, seen=seen)
        assert failed.value.code == code
        assert texts == ["first"]
        seen.clear()
        async with RawClient(served.port) as raw:
            await raw.ask(
                request(
                    chat_body(model=model, stream=True), headers={"x-client-request-id": f"{name}-{model}"}
                )
            )
            assert b"first" in (await raw.chunk() or b"")
            seen.set()
            data, clean = await raw.rest()
        assert not clean
        assert b"[DONE]" not in data
        *_, last = events(data)
        assert last["error"]["code"] == code
        assert len(up.exchanges) == 2  # no other attempt once the client has seen something
    row = served.row(f"{name}-{model}")
    assert row["status"] == "failed"
    assert row["error_code"] == code
    assert row["estimated"]
    assert row["attempts"] == 1


@pytest.mark.parametrize("handler", EARLY, ids=lambda handler: handler.__name__)
async def test_what_fails_before_the_first_byte_falls_back_to_the_next_target(
    served: Deployment, sdk: AsyncOpenAI, upstream: Run, handler: Handler
) -> None:
    name = getattr(handler, "__name__", "")
    async with upstream(handler):
        texts: list[str] = []
        await stream(
            sdk,
            texts,
            model="safe",
            text="one two",
            extra_headers={"x-client-request-id": f"fallback-{name}"},
        )
    assert "".join(texts) == "one two"
    row = served.row(f"fallback-{name}")
    assert row["attempts"] == 2
    assert row["provider"] == "mock"
    assert row["status"] == "success"
    assert row["error_code"] is None


@pytest.mark.parametrize("handler", EARLY, ids=lambda handler: handler.__name__)
async def test_what_fails_before_the_first_byte_without_another_target_is_an_error(
    served: Deployment, sdk: AsyncOpenAI, upstream: Run, handler: Handler
) -> None:
    name = getattr(handler, "__name__", "")
    async with upstream(handler):
        with pytest.raises(openai.APIError) as failed:
            await stream(sdk, [], extra_headers={"x-client-request-id": f"early-{name}"})
    assert "<html" not in failed.value.message.lower()
    row = served.row(f"early-{name}")
    assert row["status"] == "failed"
    assert row["error_code"] not in {None, "internal_error"}
    assert row["attempts"] == 1


@pytest.mark.parametrize("handler", WHOLE, ids=lambda handler: handler.__name__)
async def test_a_whole_answer_that_is_none_is_502(sdk: AsyncOpenAI, upstream: Run, handler: Handler) -> None:
    async with upstream(handler):
        with pytest.raises(openai.APIStatusError) as failed:
            await ask(sdk)
    assert failed.value.status_code == 502
    assert "<html" not in failed.value.message.lower()
    assert failed.value.request_id


async def test_a_429_keeps_its_status_message_and_retry_after(sdk: AsyncOpenAI, upstream: Run) -> None:
    async with upstream(too_many):
        for streamed in (False, True):
            with pytest.raises(openai.RateLimitError) as failed:
                await ask(sdk, stream=streamed)
            assert failed.value.response.headers["retry-after"] == "7"
            assert "slow down" in failed.value.message


async def test_a_400_keeps_its_words_and_does_not_fall_back(sdk: AsyncOpenAI, upstream: Run) -> None:
    fault = {
        "message": "no such thing",
        "type": "invalid_request_error",
        "param": "top_p",
        "code": "bad_top_p",
    }

    async def handler(exchange: Exchange) -> None:
        await exchange.answer({"error": fault}, status=400)

    async with upstream(handler):
        with pytest.raises(openai.BadRequestError) as failed:
            await ask(sdk, model="safe")
    assert failed.value.body == fault


async def test_secrets_in_an_error_are_scrubbed(served: Deployment, sdk: AsyncOpenAI, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        message = f"Incorrect key {exchange.headers['authorization']} or sk-proj-abcdefghijklmnop1234567890"
        await exchange.answer(
            {"error": {"message": message, "code": "x sk-upstream-secret-0123456789"}}, status=401
        )

    async with upstream(handler):
        with pytest.raises(openai.AuthenticationError) as failed:
            await ask(sdk, extra_headers={"x-client-request-id": "scrub"})
    shown = str(failed.value) + str(served.row("scrub")) + served.text()
    assert "0123456789" not in shown
    assert "abcdefghijklmnop" not in shown


async def test_secrets_in_an_error_event_are_scrubbed(served: Deployment, upstream: Run) -> None:
    seen = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        if exchange.said == "late":
            await exchange.say("first")
            await seen.wait()
        fault = {"message": f"key {exchange.headers['authorization']} is used up", "code": "x"}
        await exchange.chunk(b"data: " + json.dumps({"error": fault}).encode() + b"\n\n")
        await exchange.hang()

    async with upstream(handler):
        for text in ("early", "late"):
            async with RawClient(served.port) as raw:
                await raw.ask(request(chat_body(text, model="up/m", stream=True)))
                if text == "early":
                    shown = await raw.body()
                else:
                    assert await raw.chunk()
                    seen.set()
                    shown, _ = await raw.rest()
                assert b"is used up" in shown
                assert b"0123456789" not in shown


async def test_an_answer_too_large_is_502(sdk: AsyncOpenAI, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.said == "announced":
            await exchange.answer(completion("x" * 200_000))
        else:
            await exchange.begin(type="application/json")
            await exchange.chunk(json.dumps(completion("x" * 200_000)).encode())
            await exchange.send(b"0\r\n\r\n")

    async with upstream(handler):
        for text in ("announced", "not announced"):
            with pytest.raises(openai.APIStatusError) as failed:
                await ask(sdk, text=text)
            assert failed.value.status_code == 502


async def test_an_endless_event_is_cut_off(served: Deployment, sdk: AsyncOpenAI, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.send(b"fffffff\r\ndata: ")
        for _ in range(200):
            await exchange.send(b"x" * 100_000)
        await exchange.hang()

    before = served.memory()
    async with upstream(handler):
        with pytest.raises(openai.APIError):
            await stream(sdk, [])
    assert served.memory() - before < 60_000_000


async def test_a_dead_provider_falls_back_or_says_so(served: Deployment, sdk: AsyncOpenAI) -> None:
    assert (await ask(sdk, model="dead-first")).choices
    with pytest.raises(openai.APIStatusError) as failed:
        await ask(sdk, model="all-dead")
    assert failed.value.status_code == 502
    assert failed.value.code == "upstream_unreachable"
    assert "down" in failed.value.message


async def test_a_stream_asked_for_as_whole_and_other_surprises(sdk: AsyncOpenAI, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("stream")
        await exchange.finish()

    async with upstream(handler):
        with pytest.raises(openai.APIStatusError) as failed:
            await ask(sdk)  # not streamed, but the provider streams
    assert failed.value.status_code == 502


async def test_a_connection_closed_while_idle_is_not_seen_by_the_next_call(
    sdk: AsyncOpenAI, upstream: Run
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(completion())
        exchange.writer.close()

    async with upstream(handler) as up:
        for number in range(20):
            assert (await ask(sdk)).choices, number
        assert len(up.exchanges) == 20


async def test_done_counts_even_when_the_connection_then_breaks(sdk: AsyncOpenAI, upstream: Run) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("all")
        await exchange.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        await exchange.chunk(b"data: [DONE]\n\n")
        exchange.writer.close()

    async with upstream(handler):
        texts: list[str] = []
        await stream(sdk, texts)
    assert "".join(texts) == "all"
