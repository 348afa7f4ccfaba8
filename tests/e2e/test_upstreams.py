"""Providers that misbehave, behind `provider.openai`: the client always learns what happened."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from .support.process import Deployment, deployment
from .support.raw import RawClient, chat_body, events, request
from .support.upstream import CHUNK, USAGE, Exchange, Handler, Upstream, completion

CONFIG = """
[gateway]
keepalive_seconds = 0.3
timeouts = {{ connect = 1, first_byte = 1.5, idle = 1, total = 20 }}
upstream = {{ max_answer_bytes = 100_000 }}
[provider.up]
use = "openai"
base_url = "{base_url}"
api_key = "sk-upstream-secret-0123456789"
[provider.down]
use = "openai"
base_url = "http://127.0.0.1:{closed}/v1"
[provider.mock]
[models.safe]
targets = ["up:m", "mock:echo"]
[models.dead-first]
targets = ["down:m", "mock:echo"]
[models.all-dead]
targets = ["down:m", "down:n"]
"""

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


async def ask(sdk: AsyncOpenAI, *, model: str = "up/m", text: str = "hi", **more: Any) -> Any:
    """Ask for an answer, or with `stream=True` for a stream."""
    create: Any = sdk.chat.completions.create
    return await create(model=model, messages=[{"role": "user", "content": text}], **more)


async def stream(
    sdk: AsyncOpenAI,
    texts: list[str],
    *,
    model: str = "up/m",
    seen: asyncio.Event | None = None,
    **more: Any,
) -> None:
    """Ask for a stream, and collect its texts; what the SDK raises is raised. `seen` is set at the first of them."""
    async for chunk in await ask(sdk, model=model, stream=True, **more):
        if seen is not None:
            seen.set()
        texts += [choice.delta.content or "" for choice in chunk.choices]


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
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 5)


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
        await asyncio.wait_for(up.exchanges[0].closed.wait(), 5)


Breaks: dict[str, tuple[Handler, str]] = {}


def breaks(code: str) -> Callable[[Handler], Handler]:
    """Register a way to break off after the first event, and the error code that the client must see."""

    def register(handler: Handler) -> Handler:
        Breaks[getattr(handler, "__name__", "")] = handler, code
        return handler

    return register


@breaks("upstream_timeout")
async def hang_mid_stream(exchange: Exchange) -> None:
    await exchange.hang()


@breaks("upstream_cut")
async def reset_mid_stream(exchange: Exchange) -> None:
    exchange.reset()


@breaks("upstream_cut")
async def cut_without_last_chunk(exchange: Exchange) -> None:
    exchange.writer.close()


@breaks("upstream_cut")
async def clean_end_without_done(exchange: Exchange) -> None:
    await exchange.send(b"0\r\n\r\n")


@breaks("upstream_cut")
async def end_within_an_event(exchange: Exchange) -> None:
    await exchange.chunk(b'data: {"choices": [{"index": 0, "delta": {"con')
    await exchange.send(b"0\r\n\r\n")


@breaks("upstream_malformed")
async def malformed_json(exchange: Exchange) -> None:
    await exchange.chunk(b"data: {nope\n\n")
    await exchange.hang()


@breaks("upstream_malformed")
async def html_in_an_event(exchange: Exchange) -> None:
    await exchange.chunk(b"data: <html><body>502</body></html>\n\n")
    await exchange.hang()


@breaks("upstream_malformed")
async def malformed_chunk_size(exchange: Exchange) -> None:
    await exchange.send(b"ZZZ\r\n")
    await exchange.hang()


@breaks("server_is_tired")
async def error_event(exchange: Exchange) -> None:
    fault = {"message": "I am tired", "type": "server_error", "code": "server_is_tired"}
    await exchange.chunk(b"data: " + json.dumps({"error": fault}).encode() + b"\n\n")
    await exchange.hang()


@pytest.mark.parametrize("name", Breaks)
@pytest.mark.parametrize("model", ["up/m", "safe"])
async def test_a_stream_that_breaks_off_is_an_error_and_never_a_clean_end(
    served: Deployment, sdk: AsyncOpenAI, upstream: Run, name: str, model: str
) -> None:
    breaking, code = Breaks[name]
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


async def bad_first_event(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(
        b'data: {"error": {"message": "overloaded", "type": "server_error", "code": 503}}\n\n'
    )
    await exchange.send(b"0\r\n\r\n")


async def empty_stream(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.send(b"0\r\n\r\n")


async def only_comments(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(b": hello\n\n: still here\n\n")
    await exchange.send(b"0\r\n\r\n")


async def only_done(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(b"data: [DONE]\n\n")
    await exchange.send(b"0\r\n\r\n")


async def hang_before_head(exchange: Exchange) -> None:
    await exchange.hang()


async def hang_after_head(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.hang()


async def reset_before_head(exchange: Exchange) -> None:
    exchange.reset()


async def close_before_head(exchange: Exchange) -> None:
    exchange.writer.close()


async def cut_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\ncontent-ty")
    exchange.writer.close()


async def too_many(exchange: Exchange) -> None:
    await exchange.answer({"error": {"message": "slow down"}}, status=429, headers=["retry-after: 7"])


async def internal(exchange: Exchange) -> None:
    await exchange.answer({"error": {"message": "oh no", "type": "server_error", "code": None}}, status=500)


async def html_200(exchange: Exchange) -> None:
    await exchange.answer(b"<html><body>Welcome to nginx</body></html>", type="text/html")


async def html_502(exchange: Exchange) -> None:
    await exchange.answer(b"<html><h1>502 Bad Gateway</h1></html>", status=502, type="text/html")


async def json_error_200(exchange: Exchange) -> None:
    await exchange.answer({"error": {"message": "no capacity", "type": "overloaded", "code": "no_capacity"}})


async def latin_1(exchange: Exchange) -> None:
    await exchange.answer(b'{"error": {"message": "caf\xe9", "code": "closed"}}', status=500)


async def not_http(exchange: Exchange) -> None:
    await exchange.send(b"SSH-2.0-OpenSSH_9.0\r\n\r\n")


async def redirect(exchange: Exchange) -> None:
    await exchange.answer(b"", status=302, headers=["location: http://169.254.169.254/"])


async def unauthorized(exchange: Exchange) -> None:
    await exchange.answer({"error": {"message": "bad key", "code": "invalid_api_key"}}, status=401)


async def gzip(exchange: Exchange) -> None:
    await exchange.answer(b"\x1f\x8b\x08garbage", headers=["content-encoding: gzip"])


Early: list[Handler] = [
    bad_first_event,
    empty_stream,
    hang_before_head,
    hang_after_head,
    reset_before_head,
    close_before_head,
    cut_head,
    too_many,
    internal,
    html_200,
    html_502,
    json_error_200,
    not_http,
    latin_1,
    redirect,
    gzip,
    unauthorized,
    only_comments,
]


@pytest.mark.parametrize("handler", Early, ids=lambda handler: handler.__name__)
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


@pytest.mark.parametrize("handler", Early, ids=lambda handler: handler.__name__)
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


Whole: list[Handler] = [
    reset_before_head,
    close_before_head,
    cut_head,
    html_200,
    html_502,
    not_http,
    redirect,
    gzip,
]


@pytest.mark.parametrize("handler", Whole, ids=lambda handler: handler.__name__)
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


async def test_characters_split_between_packets_arrive_whole(sdk: AsyncOpenAI, upstream: Run) -> None:
    text = "Grüße 🙂 你好 \u2028 ende"
    event = (
        b"data: "
        + json.dumps(
            {**CHUNK, "choices": [{"index": 0, "delta": {"content": text}}]}, ensure_ascii=False
        ).encode()
        + b"\n\n"
    )

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        for byte in event:
            await exchange.chunk(bytes([byte]))
            await asyncio.sleep(0)
        await exchange.finish(USAGE)

    async with upstream(handler):
        texts: list[str] = []
        await stream(sdk, texts)
    assert "".join(texts) == text


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
async def test_every_line_end_of_the_standard_is_understood(
    sdk: AsyncOpenAI, upstream: Run, newline: str
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        for text in ("one", "two"):
            data = json.dumps({**CHUNK, "choices": [{"index": 0, "delta": {"content": text}}]})
            await exchange.chunk(f"event: x{newline}id: 5{newline}data: {data}{newline}{newline}".encode())
        await exchange.chunk(f"data: [DONE]{newline}{newline}".encode())
        await exchange.send(b"0\r\n\r\n")

    async with upstream(handler):
        texts: list[str] = []
        await stream(sdk, texts)
    assert texts == ["one", "two"]


async def test_each_event_is_sent_on_at_once(served: Deployment, upstream: Run) -> None:
    seen = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say("first")
        await seen.wait()
        await exchange.say("second")
        await exchange.finish()

    async with upstream(handler), RawClient(served.port) as raw:
        await raw.ask(request(chat_body(model="up/m", stream=True), headers={"accept-encoding": "gzip, br"}))
        first = await raw.chunk()
        assert first
        assert b"first" in first
        seen.set()
        data, clean = await raw.rest()
        assert b"second" in data
        assert clean
    assert raw.headers["content-type"].startswith("text/event-stream")
    assert raw.headers["cache-control"] == "no-cache, no-transform"
    assert raw.headers["x-accel-buffering"] == "no"
    assert raw.headers["x-request-id"]
    assert "content-encoding" not in raw.headers
    assert "content-length" not in raw.headers


async def test_comments_keep_a_stream_alive_while_the_provider_thinks(
    served: Deployment, upstream: Run
) -> None:
    think = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.begin()
        await think.wait()
        await exchange.say("thought")
        await exchange.finish()

    async with upstream(handler), RawClient(served.port) as raw:
        await raw.ask(request(chat_body(model="up/m", stream=True)))
        assert raw.status == 200
        assert (await raw.chunk() or b"").startswith(b":")
        assert (await raw.chunk() or b"").startswith(b":")
        think.set()
        data, clean = await raw.rest()
        assert clean
        assert b"thought" in data
        assert data.rstrip().endswith(b"data: [DONE]")


async def test_an_error_after_a_sign_of_life_is_an_event(
    served: Deployment, sdk: AsyncOpenAI, upstream: Run
) -> None:
    async with upstream(hang_after_head):
        async with RawClient(served.port) as raw:
            await raw.ask(request(chat_body(model="up/m", stream=True)))
            data, clean = await raw.rest()
        assert not clean
        (event,) = events(data)
        assert event["error"]["code"] == "upstream_timeout"
        texts: list[str] = []
        with pytest.raises(openai.APIError):
            await stream(sdk, texts)


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
