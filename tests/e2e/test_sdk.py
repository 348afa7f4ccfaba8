"""The official OpenAI SDK against `gateway serve` with the mock provider: only base_url and api_key are changed."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from .support.process import Deployment, deployment

CONFIG = """
[auth.apikey]
[provider.mock]
[middleware.ratelimit]
requests_per_minute = 100000
[middleware.metrics]
[models.fast]
targets = ["mock:echo"]
[models."team/fast"]
targets = ["mock:echo"]
"""

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello there, how are you?"}]


def tool(name: str) -> ChatCompletionToolParam:
    """Declare a tool that takes a city."""
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(tmp_path_factory.mktemp("sdk"), CONFIG) as served:
        yield served


@pytest.fixture(scope="module")
def sdk(served: Deployment) -> Iterator[OpenAI]:
    key = served.key()["key"]
    with OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0, timeout=30) as client:
        yield client


def test_a_chat_answers_with_text_usage_and_a_request_id(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(model="fast", messages=HI)
    assert answer.choices[0].message.content == "Hello there, how are you?"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    assert answer._request_id
    assert answer._request_id.startswith("req_")


def test_a_stream_gives_the_text_and_hides_usage_nobody_asked_for(sdk: OpenAI) -> None:
    chunks = list(sdk.chat.completions.create(model="fast", messages=HI, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == "Hello there, how are you?"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_shows_usage_when_asked(sdk: OpenAI) -> None:
    stream = sdk.chat.completions.create(
        model="fast", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    *_, last = stream
    assert last.choices == []
    assert last.usage
    assert last.usage.completion_tokens > 0


def test_hidden_usage_is_in_the_ledger_all_the_same(sdk: OpenAI, served: Deployment) -> None:
    with sdk.chat.completions.create(
        model="fast", messages=HI, stream=True, extra_headers={"x-client-request-id": "hidden-usage"}
    ) as stream:
        assert list(stream)
    row = served.call("hidden-usage")
    assert row["status"] == "success"
    assert row["completion_tokens"] > 0
    assert not row["estimated"]


@pytest.mark.parametrize("stream", [False, True])
def test_tools_are_called_in_parallel(sdk: OpenAI, stream: bool) -> None:
    messages: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": "ask get_weather and get_time for Paris"}
    ]
    tools = [tool("get_weather"), tool("get_time"), tool("get_news")]
    if stream:
        with sdk.chat.completions.stream(model="fast", messages=messages, tools=tools) as events:
            answer = events.get_final_completion()
    else:
        answer = sdk.chat.completions.create(model="fast", messages=messages, tools=tools)
    calls = answer.choices[0].message.tool_calls or []
    assert answer.choices[0].finish_reason == "tool_calls"
    assert [call.function.name for call in calls if call.type == "function"] == ["get_weather", "get_time"]
    assert len({call.id for call in calls}) == 2


def test_a_tool_result_is_answered_with_text(sdk: OpenAI) -> None:
    first = sdk.chat.completions.create(model="fast", messages=HI, tools=[tool("get_time")])
    (call,) = first.choices[0].message.tool_calls or []
    messages: list[Any] = [
        *HI,
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "noon"},
    ]
    second = sdk.chat.completions.create(model="fast", messages=messages, tools=[tool("get_time")])
    assert second.choices[0].finish_reason == "stop"
    assert second.choices[0].message.content


class Step(BaseModel):
    title: str
    minutes: int


class Recipe(BaseModel):
    name: str
    kind: Literal["starter", "main"]
    steps: list[Step]
    vegan: bool


@pytest.mark.parametrize("stream", [False, True])
def test_structured_output_is_parsed_into_the_callers_model(sdk: OpenAI, stream: bool) -> None:
    if stream:
        with sdk.chat.completions.stream(model="fast", messages=HI, response_format=Recipe) as events:
            answer = events.get_final_completion()
    else:
        answer = sdk.chat.completions.parse(model="fast", messages=HI, response_format=Recipe)
    assert isinstance(answer.choices[0].message.parsed, Recipe)


def test_vision_parts_are_taken(sdk: OpenAI) -> None:
    pixel = "data:image/png;base64," + base64.b64encode(b"\x89PNG" + bytes(2000)).decode()
    answer = sdk.chat.completions.create(
        model="fast",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": pixel, "detail": "low"}},
                ],
            }
        ],
    )
    assert answer.choices[0].message.content
    assert "What is this?" in answer.choices[0].message.content


def test_reasoning_passes_through_whole_and_streamed(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(model="mock/reasoner", messages=HI)
    whole = (answer.choices[0].message.model_extra or {})["reasoning_content"]
    assert answer.usage
    assert answer.usage.completion_tokens_details
    assert answer.usage.completion_tokens_details.reasoning_tokens
    stream = sdk.chat.completions.create(model="mock/reasoner", messages=HI, stream=True)
    pieces = [(chunk.choices[0].delta.model_extra or {}).get("reasoning_content") or "" for chunk in stream]
    assert whole
    assert "".join(pieces) == whole


def test_several_choices(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(model="fast", messages=HI, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    stream = sdk.chat.completions.create(model="fast", messages=HI, n=3, stream=True)
    texts = ["", "", ""]
    for chunk in stream:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == [choice.message.content for choice in answer.choices]


def test_logprobs(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.create(model="fast", messages=HI, logprobs=True, top_logprobs=2)
    logprobs = answer.choices[0].logprobs
    assert logprobs
    assert logprobs.content
    assert "".join(entry.token for entry in logprobs.content) == answer.choices[0].message.content
    assert all(len(entry.top_logprobs) == 2 for entry in logprobs.content)


def test_embeddings_as_the_sdk_asks_for_them_and_as_floats(sdk: OpenAI) -> None:
    texts = ["one", "two"]
    by_default = sdk.embeddings.create(model="mock/embedding", input=texts)  # base64 on the wire
    floats = sdk.embeddings.create(model="mock/embedding", input=texts, encoding_format="float")
    assert [item.index for item in floats.data] == [0, 1]
    assert by_default.data[0].embedding == pytest.approx(floats.data[0].embedding, abs=1e-6)
    assert by_default.data[0].embedding != by_default.data[1].embedding
    raw = sdk.embeddings.with_raw_response.create(
        model="mock/embedding", input="one", encoding_format="base64", dimensions=8
    )
    (item,) = raw.http_response.json()["data"]
    assert len(base64.b64decode(item["embedding"])) == 8 * struct.calcsize("<f")
    assert floats.usage.prompt_tokens > 0


def test_models_are_listed_and_retrieved_with_slashes_too(sdk: OpenAI) -> None:
    ids = [model.id for model in sdk.models.list()]
    assert ids[:2] == ["fast", "team/fast"]
    assert "mock/echo" in ids
    for name in ("fast", "team/fast", "mock/echo", "mock/never-listed", "mock/deep/er"):
        assert sdk.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError) as refused:
        sdk.models.retrieve("no/such")
    assert refused.value.code == "model_not_found"


def test_a_models_name_may_be_given_bare_or_with_its_provider(sdk: OpenAI) -> None:
    for name in ("echo", "mock/echo", "mock/made-up", "team/fast"):
        assert sdk.chat.completions.create(model=name, messages=HI).choices


def test_the_clients_own_request_id_is_in_the_ledger(sdk: OpenAI, served: Deployment) -> None:
    answer = sdk.chat.completions.create(
        model="fast", messages=HI, extra_headers={"x-client-request-id": "mine-1"}
    )
    row = served.call("mine-1")
    assert row["request_id"] == answer._request_id
    assert answer.usage
    assert (
        row
        | {
            "status": "success",
            "model": "fast",
            "provider": "mock",
            "tenant": "default",
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "estimated": False,
            "error": None,
            "http_status": 200,
        }
        == row
    )
    assert row["key"]
    assert row["cost"] is not None


async def test_many_at_once_with_the_async_sdk(served: Deployment, sdk: OpenAI) -> None:
    import asyncio

    async with openai.AsyncOpenAI(base_url=sdk.base_url, api_key=sdk.api_key, max_retries=0) as client:

        async def ask(number: int) -> str:
            text = f"number {number}"
            if number % 2:
                answer = await client.chat.completions.create(
                    model="fast", messages=[{"role": "user", "content": text}]
                )
                return answer.choices[0].message.content or ""
            stream = await client.chat.completions.create(
                model="fast", messages=[{"role": "user", "content": text}], stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        answers = await asyncio.gather(*(ask(number) for number in range(100)))
    assert answers == [f"number {number}" for number in range(100)]


def test_the_server_says_no_more_than_it_must(served: Deployment, sdk: OpenAI, tmp_path: Path) -> None:
    raw = sdk.chat.completions.with_raw_response.create(model="fast", messages=HI)
    assert "server" not in raw.headers
    assert "content-encoding" not in raw.headers
