from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gateway.errors import ProviderError
from gateway.types import Answer

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 3},
            },
            "required": ["city", "unit", "days"],
        },
    },
}
TIME = {"type": "function", "function": {"name": "get_time"}}


def completion(answer: Answer) -> ChatCompletion:
    return ChatCompletion.model_validate_json(answer.body, extra="allow")


async def events(answer: Answer) -> list[bytes]:
    assert answer.stream is not None
    return [event async for event in answer.stream]


async def chunks(answer: Answer) -> list[ChatCompletionChunk]:
    assert answer.headers == [(b"content-type", b"text/event-stream; charset=utf-8")]
    *data, done = await events(answer)
    assert done == b"data: [DONE]\n\n"
    assert all(event.startswith(b"data: {") and event.endswith(b"}\n\n") for event in data)
    return [ChatCompletionChunk.model_validate_json(event[6:]) for event in data]


async def test_repeats_the_last_user_message(mock: Any, attempt: Any):
    answer = await mock().send(
        attempt(
            {
                "messages": [
                    {"role": "user", "content": "first"},
                    {"role": "assistant", "content": "answer"},
                    {"role": "user", "content": "Hello, you!\n  Is it late? "},
                ]
            }
        )
    )
    assert answer.status == 200
    assert answer.headers == [(b"content-type", b"application/json")]
    found = completion(answer)
    assert found.object == "chat.completion"
    assert found.model == "echo"
    (choice,) = found.choices
    assert choice.message.content == "Hello, you!\n  Is it late? "
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert choice.logprobs is None
    assert found.usage is not None
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


async def test_streams_what_it_answers_whole(mock: Any, attempt: Any):
    text = "Was it a cat I saw? Yes, it was."
    whole = completion(await mock().send(attempt(text)))
    found = await chunks(await mock().send(attempt(text, stream=True)))
    first, *middle, last = found
    assert first.choices[0].delta.role == "assistant"
    assert first.choices[0].delta.content == ""
    assert "".join(chunk.choices[0].delta.content or "" for chunk in middle) == text
    assert whole.choices[0].message.content == text
    assert last.choices[0].finish_reason == "stop"
    assert all(chunk.choices[0].finish_reason is None for chunk in found[:-1])
    assert len({chunk.id for chunk in found}) == 1
    assert whole.usage is not None
    assert len(middle) == whole.usage.completion_tokens


async def test_equal_requests_get_equal_bytes_and_others_do_not(mock: Any, attempt: Any):
    one, same, other = [await mock().send(attempt(text)) for text in ("hi", "hi", "ho")]
    assert one.body == same.body
    assert completion(one).id != completion(other).id
    streams = [await events(await mock().send(attempt("hi", stream=True))) for _ in range(2)]
    assert streams[0] == streams[1]


async def test_usage_comes_in_a_stream_when_asked_for(mock: Any, attempt: Any):
    asked = attempt("one two three", stream=True, stream_options={"include_usage": True})
    *others, last = await chunks(await mock().send(asked))
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 3
    assert all(chunk.usage is None for chunk in others)
    assert all(chunk.usage is None for chunk in await chunks(await mock().send(attempt("one", stream=True))))


async def test_several_choices(mock: Any, attempt: Any):
    whole = completion(await mock().send(attempt("hello there", n=3)))
    assert [choice.index for choice in whole.choices] == [0, 1, 2]
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 6
    found = await chunks(await mock().send(attempt("hello there", n=3, stream=True)))
    for index in range(3):
        mine = [chunk.choices[0] for chunk in found if chunk.choices[0].index == index]
        assert "".join(choice.delta.content or "" for choice in mine) == "hello there"
        assert mine[-1].finish_reason == "stop"


async def test_logprobs(mock: Any, attempt: Any):
    asked = {"logprobs": True, "top_logprobs": 2}
    whole = completion(await mock().send(attempt("ein Öl", **asked)))
    logprobs = whole.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert "".join(token.token for token in logprobs.content) == "ein Öl"
    assert bytes(logprobs.content[1].bytes or []).decode() == " Öl"
    assert [len(token.top_logprobs) for token in logprobs.content] == [2, 2]
    found = await chunks(await mock().send(attempt("ein Öl", stream=True, **asked)))
    tokens = [chunk.choices[0].logprobs.content for chunk in found if chunk.choices[0].logprobs]
    assert tokens == [[token] for token in logprobs.content]


async def test_a_limit_cuts_the_answer(mock: Any, attempt: Any):
    for name in ("max_tokens", "max_completion_tokens"):
        choice = completion(await mock().send(attempt("one two three", **{name: 2}))).choices[0]
        assert choice.message.content == "one two"
        assert choice.finish_reason == "length"


@pytest.mark.parametrize(
    ("said", "options", "called"),
    [
        ("Is it warm?", {}, ["get_weather"]),
        ("Use get_time and get_weather", {}, ["get_weather", "get_time"]),
        ("Use get_time and get_weather", {"parallel_tool_calls": False}, ["get_weather"]),
        ("hi", {"tool_choice": {"type": "function", "function": {"name": "get_time"}}}, ["get_time"]),
        ("hi", {"tool_choice": "required"}, ["get_weather"]),
        ("hi", {"tool_choice": "none"}, []),
        ("hi @tool=get_time @tool=unheard_of", {}, ["get_time", "unheard_of"]),
    ],
)
async def test_tool_calls(mock: Any, attempt: Any, said: str, options: dict[str, Any], called: list[str]):
    request = {"tools": [WEATHER, TIME], **options}
    choice = completion(await mock().send(attempt(said, **request))).choices[0]
    calls = choice.message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == called
    assert choice.finish_reason == ("tool_calls" if called else "stop")
    assert len({call.id for call in calls}) == len(calls)

    streamed: dict[int, list[Any]] = {}
    for chunk in await chunks(await mock().send(attempt(said, stream=True, **request))):
        for delta in chunk.choices[0].delta.tool_calls or []:
            parts = streamed.setdefault(delta.index, [None, None, ""])
            parts[0] = delta.id or parts[0]
            assert delta.function is not None
            parts[1] = delta.function.name or parts[1]
            parts[2] += delta.function.arguments or ""
    assert [parts[1] for parts in streamed.values()] == called
    assert [parts[2] for parts in streamed.values()] == [
        call.function.arguments for call in calls if call.type == "function"
    ]
    for name, arguments in ((parts[1], msgspec.json.decode(parts[2])) for parts in streamed.values()):
        expected = {"city": "example", "unit": "celsius", "days": 3} if name == "get_weather" else {}
        assert arguments == expected


async def test_the_results_of_tools_are_answered_with_text(mock: Any, attempt: Any):
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Is it warm?"},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "tool_call_id": "call_1", "content": "25 degrees"},
    ]
    choice = completion(await mock().send(attempt({"messages": messages}, tools=[WEATHER]))).choices[0]
    assert choice.message.tool_calls is None
    assert choice.message.content == "Is it warm?"


async def test_a_tool_choice_that_is_no_tool_is_refused(mock: Any, attempt: Any):
    choice = {"type": "function", "function": {"name": "nothing"}}
    with pytest.raises(ProviderError) as caught:
        await mock().send(attempt("hi", tools=[TIME], tool_choice=choice))
    assert (caught.value.status, caught.value.param) == (400, "tool_choice")
    assert not caught.value.can_fall_back


async def test_structured_output(mock: Any, attempt: Any):
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema, "strict": True}}
    content = completion(await mock().send(attempt("hi", response_format=form))).choices[0].message.content
    assert msgspec.json.decode(content or "") == {"age": 1}
    form = {"type": "json_object"}
    content = completion(await mock().send(attempt("hi", response_format=form))).choices[0].message.content
    assert msgspec.json.decode(content or "") == {"answer": "hi"}


async def test_images_are_taken_and_counted(mock: Any, attempt: Any):
    text = {"type": "text", "text": "What is this?"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}}
    without = completion(await mock().send(attempt({"messages": [{"role": "user", "content": [text]}]})))
    with_image = completion(
        await mock().send(attempt({"messages": [{"role": "user", "content": [text, image]}]}))
    )
    assert with_image.choices[0].message.content == "What is this?"
    assert without.usage is not None
    assert with_image.usage is not None
    assert with_image.usage.prompt_tokens == without.usage.prompt_tokens + 85


async def test_reasoning(mock: Any, attempt: Any):
    whole = completion(await mock().send(attempt("hi", model="reasoner")))
    thought = (whole.choices[0].message.model_extra or {})["reasoning_content"]
    assert whole.choices[0].message.content == "hi"
    assert whole.usage is not None
    assert whole.usage.completion_tokens_details is not None
    assert 0 < (whole.usage.completion_tokens_details.reasoning_tokens or 0) < whole.usage.completion_tokens
    found = await chunks(await mock().send(attempt("hi", model="reasoner", stream=True)))
    deltas = [chunk.choices[0].delta.model_extra or {} for chunk in found]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == thought


@pytest.mark.parametrize(
    "body",
    [{"messages": "hi"}, {"messages": [{"content": "no role"}]}, {"messages": [], "n": 0}, {}],
    ids=str,
)
async def test_a_request_that_openai_would_refuse_is_refused(mock: Any, attempt: Any, body: dict[str, Any]):
    with pytest.raises(ProviderError) as caught:
        await mock().send(attempt(body))
    assert caught.value.status == 400
    assert caught.value.type == "invalid_request_error"
    assert not caught.value.can_fall_back
