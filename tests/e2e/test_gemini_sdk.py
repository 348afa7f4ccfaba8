"""Google's official SDK against `gateway serve`: only base_url and api_key are changed. Gemini and OpenAI are played."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

from .support.process import Deployment, deployment
from .support.upstream import Exchange, Handler, Upstream, completion

USAGE = {"promptTokenCount": 9, "candidatesTokenCount": 4, "thoughtsTokenCount": 3, "totalTokenCount": 16}
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
Play = Callable[[Handler], Upstream]
Sdk = Any
"""`genai.Client`, whose methods have types that are partly unknown where Pillow is not installed."""
BOTH = pytest.mark.parametrize("model", ["gemini/gemini-3.5-flash", "openai/gpt-x"])
"""The same question to Gemini itself, and translated."""


class City(BaseModel):
    name: str
    people: int


def answer(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0, **more}
    return {
        "candidates": [candidate],
        "usageMetadata": USAGE,
        "modelVersion": "gemini-3.5-flash",
        "responseId": "r-1",
    }


async def stream(exchange: Exchange, *events: dict[str, Any], cut: bool = False) -> None:
    await exchange.begin()
    for event in events:
        await exchange.chunk(b"data: " + json.dumps(event).encode() + b"\r\n\r\n")
    if cut:
        exchange.reset()
    else:
        await exchange.send(b"0\r\n\r\n")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, base_url: str) -> Iterator[Deployment]:
    config = f"""
[gateway]
keepalive_seconds = 1
[auth.apikey]
[provider.gemini]
base_url = "{base_url}beta"
api_key = "not-a-real-key-but-long-enough"
[provider.openai]
base_url = "{base_url}"
api_key = "not-a-real-key-but-long-enough"
"""
    with deployment(tmp_path_factory.mktemp("genai"), config) as served:
        yield served


@pytest.fixture(scope="module")
def key(served: Deployment) -> str:
    return served.key()["key"]


@pytest.fixture
async def sdk(served: Deployment, key: str) -> AsyncGenerator[Sdk]:
    once = types.HttpRetryOptions(attempts=1)
    # Of its own accord the SDK takes aiohttp where that is installed, and then leaves connections of cut streams open.
    async with httpx2.AsyncClient(follow_redirects=True) as http:
        options = types.HttpOptions(
            base_url=served.url, retry_options=once, timeout=30_000, httpx_async_client=http
        )
        client = genai.Client(api_key=key, http_options=options)
        yield client
        await client.aio.aclose()
        client.close()


def player(gemini: dict[str, Any], openai: dict[str, Any]) -> Handler:
    """Answer as Gemini or as OpenAI, as the path asks."""

    async def play(exchange: Exchange) -> None:
        await exchange.answer(gemini if "/v1beta/" in exchange.path else openai)

    return play


@BOTH
async def test_a_text_comes_with_its_usage(sdk: Sdk, upstream: Play, model: str) -> None:
    play = player(answer({"text": "Grüße ✓"}, finishReason="STOP"), completion("Grüße ✓"))
    async with upstream(play) as service:
        got = await sdk.aio.models.generate_content(model=model, contents="Hello?")
    assert got.text == "Grüße ✓"
    assert got.candidates
    assert got.candidates[0].finish_reason == types.FinishReason.STOP
    assert got.usage_metadata
    assert got.usage_metadata.prompt_token_count in {7, 9}
    (asked,) = service.exchanges
    assert "Hello?" in asked.body.decode()
    if model.startswith("gemini"):
        assert asked.path == "/v1beta/models/gemini-3.5-flash:generateContent"
        assert asked.headers["x-goog-api-key"] == "not-a-real-key-but-long-enough"


@BOTH
async def test_a_stream(sdk: Sdk, upstream: Play, served: Deployment, model: str) -> None:
    async def play(exchange: Exchange) -> None:
        if "/v1beta/" in exchange.path:
            assert exchange.path.endswith(":streamGenerateContent?alt=sse")
            await stream(exchange, answer({"text": "One "}), answer({"text": "two"}, finishReason="STOP"))
        else:
            await exchange.begin()
            await exchange.say("One ")
            await exchange.say("two")
            await exchange.finish({"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16})

    async with upstream(play):
        chunks = [
            c async for c in await sdk.aio.models.generate_content_stream(model=model, contents="Count!")
        ]
    assert "".join(chunk.text or "" for chunk in chunks) == "One two"
    last = chunks[-1]
    assert last.candidates
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    assert last.usage_metadata
    assert last.usage_metadata.total_token_count == 16
    row = served.settled("--limit", "1")[0]
    assert (row["status"], row["prompt_tokens"], row["completion_tokens"]) == ("success", 9, 7)


@BOTH
async def test_parallel_tools_and_their_results(sdk: Sdk, upstream: Play, model: str) -> None:
    def call(number: int, city: str) -> dict[str, Any]:
        function = {"name": "weather", "arguments": json.dumps({"city": city})}
        return {"id": f"call_{number}", "type": "function", "function": function}

    calls = [{"functionCall": {"name": "weather", "args": {"city": city}}} for city in ("Rome", "Oslo")]
    message = {"role": "assistant", "content": None, "tool_calls": [call(1, "Rome"), call(2, "Oslo")]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    play = player(answer(*calls, finishReason="STOP"), completion(choices=[choice]))
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = types.Tool(
        function_declarations=[types.FunctionDeclaration(name="weather", parameters_json_schema=schema)]
    )
    config = types.GenerateContentConfig(
        tools=[tool], automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True)
    )
    async with upstream(play) as service:
        got = await sdk.aio.models.generate_content(model=model, contents="Weather?", config=config)
        made = got.function_calls
        assert made
        assert [(one.name, one.args) for one in made] == [
            ("weather", {"city": "Rome"}),
            ("weather", {"city": "Oslo"}),
        ]
        assert got.candidates
        assert got.candidates[0].content
        results = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=one.id, name=one.name, response={"output": "Sun."}
                )
            )
            for one in made
        ]
        turns = [
            types.UserContent("Weather?"),
            got.candidates[0].content,
            types.Content(role="user", parts=results),
        ]
        await sdk.aio.models.generate_content(model=model, contents=list(turns), config=config)
    if model.startswith("openai"):
        *_, assistant, first, second = service.exchanges[1].json["messages"]
        assert [one["id"] for one in assistant["tool_calls"]] == ["call_1", "call_2"]
        assert (first["tool_call_id"], second["tool_call_id"]) == ("call_1", "call_2")
        assert first["content"] == "Sun."


async def test_a_streamed_tool_call_is_told_whole(sdk: Sdk, upstream: Play) -> None:
    async def play(exchange: Exchange) -> None:
        await exchange.begin()
        for number, text in enumerate(['{"ci', 'ty": "Rome"}']):
            named = {"id": "call_7", "type": "function"} if number == 0 else {}
            function = {"arguments": text, **({"name": "weather"} if number == 0 else {})}
            delta = {"tool_calls": [{"index": 0, "function": function, **named}]}
            await exchange.event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
        await exchange.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})
        await exchange.chunk(b"data: [DONE]\n\n")
        await exchange.send(b"0\r\n\r\n")

    async with upstream(play):
        got = [
            call
            async for chunk in await sdk.aio.models.generate_content_stream(
                model="openai/gpt-x", contents="Weather?"
            )
            for call in chunk.function_calls or ()
        ]
    assert [(one.id, one.name, one.args) for one in got] == [("call_7", "weather", {"city": "Rome"})]


@BOTH
async def test_a_picture_and_a_schema(sdk: Sdk, upstream: Play, model: str) -> None:
    text = '{"name": "Rome", "people": 3}'
    play = player(answer({"text": text}, finishReason="STOP"), completion(text))
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    async with upstream(play) as service:
        got = await sdk.aio.models.generate_content(
            model=model,
            contents=[types.Part.from_bytes(data=PIXEL, mime_type="image/png"), "Which city?"],
            config=config,
        )
    assert got.parsed == City(name="Rome", people=3)
    asked = service.exchanges[0].json
    if model.startswith("openai"):
        image = asked["messages"][0]["content"][0]["image_url"]["url"]
        assert base64.b64decode(image.removeprefix("data:image/png;base64,")) == PIXEL
        schema = asked["response_format"]["json_schema"]["schema"]
        assert schema["properties"]["people"]["type"] == "integer"


async def test_thoughts_and_signatures_come_and_go_untouched(sdk: Sdk, upstream: Play) -> None:
    signature = base64.b64encode(b"signed").decode()
    parts = [{"text": "Hm.", "thought": True}, {"text": "Yes.", "thoughtSignature": signature, "new": 1}]
    play = player(answer(*parts, finishReason="STOP"), {})
    thinking = types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW, include_thoughts=True)
    config = types.GenerateContentConfig(thinking_config=thinking)
    async with upstream(play) as service:
        got = await sdk.aio.models.generate_content(
            model="gemini/gemini-3.5-flash", contents="Sure?", config=config
        )
    assert got.parts
    assert got.parts[0].thought
    assert got.parts[1].thought_signature == b"signed"
    assert got.usage_metadata
    assert got.usage_metadata.thoughts_token_count == 3
    asked = service.exchanges[0].json["generationConfig"]["thinkingConfig"]
    assert asked == {"include_thoughts": True, "thinking_level": "LOW"}


@BOTH
async def test_embeddings(sdk: Sdk, upstream: Play, model: str) -> None:
    vectors = [[0.5, 0.25], [1.0, 0.0]]
    data = [{"object": "embedding", "index": n, "embedding": one} for n, one in enumerate(vectors)]
    openai = {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 2, "total_tokens": 2}}
    play = player({"embeddings": [{"values": one} for one in vectors]}, openai)
    async with upstream(play) as service:
        got = await sdk.aio.models.embed_content(model=model, contents=["one", "two"])
    assert [one.values for one in got.embeddings or ()] == vectors
    asked = service.exchanges[0].json
    if model.startswith("gemini"):
        assert {one["model"] for one in asked["requests"]} == {"models/gemini-3.5-flash"}
    else:
        assert asked["input"] == ["one", "two"]


async def test_tokens_are_counted_or_estimated(sdk: Sdk, upstream: Play) -> None:
    async with upstream(player({"totalTokens": 31}, {})) as service:
        counted = await sdk.aio.models.count_tokens(model="gemini/gemini-3.5-flash", contents="How many?")
        estimated = await sdk.aio.models.count_tokens(model="openai/gpt-x", contents="How many?")
    assert counted.total_tokens == 31
    assert 0 < (estimated.total_tokens or 0) < 10
    assert len(service.exchanges) == 1


async def test_models_are_listed(sdk: Sdk) -> None:
    listed = [model.name async for model in await sdk.aio.models.list()]
    assert "models/gemini/gemini-3.5-flash" in listed
    one = await sdk.aio.models.get(model="gemini/gemini-3.5-flash")
    assert one.name == "models/gemini/gemini-3.5-flash"


@BOTH
async def test_errors_keep_status_and_words(sdk: Sdk, upstream: Play, model: str) -> None:
    async def play(exchange: Exchange) -> None:
        error: dict[str, Any] = {"message": "Too fast.", "code": 429, "status": "RESOURCE_EXHAUSTED"}
        if "/v1beta/" not in exchange.path:
            error = {"message": "Too fast.", "type": "requests", "code": "rate_limit_exceeded"}
        await exchange.answer({"error": error}, status=429)

    async with upstream(play):
        with pytest.raises(errors.ClientError) as caught:
            await sdk.aio.models.generate_content(model=model, contents="Hello?")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert caught.value.message == "Too fast."


async def test_errors_of_the_gateway_are_googles(sdk: Sdk, served: Deployment) -> None:
    with pytest.raises(errors.ClientError) as caught:
        await sdk.aio.models.generate_content(model="nowhere", contents="Hello?")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    url = f"{served.url}/v1beta/models/nowhere:generateContent"
    refused = httpx2.post(url, content=b"{}")
    assert refused.status_code == 401
    assert refused.json()["error"]["status"] == "UNAUTHENTICATED"


@BOTH
async def test_a_cut_stream_is_no_end(sdk: Sdk, upstream: Play, model: str) -> None:
    async def play(exchange: Exchange) -> None:
        if "/v1beta/" in exchange.path:
            await stream(exchange, answer({"text": "One "}), cut=True)
        else:
            await exchange.begin()
            await exchange.say("One ")
            exchange.reset()

    async with upstream(play):
        with pytest.raises((errors.APIError, httpx2.TransportError)):
            async for _ in await sdk.aio.models.generate_content_stream(model=model, contents="Count!"):
                pass


async def test_signs_of_life_do_not_break_the_stream(sdk: Sdk, upstream: Play) -> None:
    async def play(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.chunk(b"data: " + json.dumps(answer({"text": "One "})).encode() + b"\r\n\r\n")
        await asyncio.sleep(2.5)
        last = answer({"text": "two"}, finishReason="STOP")
        await exchange.chunk(b"data: " + json.dumps(last).encode() + b"\r\n\r\n")
        await exchange.send(b"0\r\n\r\n")

    async with upstream(play):
        chunks = [
            chunk.text
            async for chunk in await sdk.aio.models.generate_content_stream(
                model="gemini/gemini-3.5-flash", contents="Count!"
            )
        ]
    assert chunks == ["One ", "two"]


async def test_without_sse_a_stream_is_an_array(served: Deployment, key: str, upstream: Play) -> None:
    async def play(exchange: Exchange) -> None:
        await stream(exchange, answer({"text": "One "}), answer({"text": "two"}, finishReason="STOP"))

    url = f"{served.url}/v1beta/models/gemini/gemini-3.5-flash:streamGenerateContent?key={key}"
    async with upstream(play), httpx2.AsyncClient() as client:
        got = await client.post(url, json={"contents": [{"parts": [{"text": "Count!"}]}]}, timeout=30)
    assert got.headers["content-type"].startswith("application/json")
    texts = [one["candidates"][0]["content"]["parts"][0]["text"] for one in got.json()]
    assert texts == ["One ", "two"]
    assert key not in served.text()


@BOTH
async def test_a_chat_remembers_what_was_streamed(sdk: Sdk, upstream: Play, model: str) -> None:
    async def play(exchange: Exchange) -> None:
        if "/v1beta/" in exchange.path:
            await stream(exchange, answer({"text": "One "}), answer({"text": "two"}, finishReason="STOP"))
        else:
            await exchange.begin()
            token: dict[str, Any] = {"token": "One", "logprob": -0.5, "bytes": None, "top_logprobs": []}
            delta: dict[str, Any] = {
                "index": 0,
                "delta": {"content": "One two"},
                "logprobs": {"content": [token]},
            }
            await exchange.event({"choices": [{**delta, "finish_reason": None}]})
            await exchange.finish()

    chat = sdk.aio.chats.create(model=model)
    async with upstream(play) as service:
        for words in ("Count!", "Again!"):
            async for _ in await chat.send_message_stream(words):
                pass
    assert "One" in service.exchanges[1].body.decode(), "the first answer goes into the second request"
