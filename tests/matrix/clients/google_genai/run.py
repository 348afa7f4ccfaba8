"""Google's official SDK."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import harness as h
from google import genai
from google.genai import errors, types

OPTIONS = types.HttpOptions(
    base_url=h.url(), timeout=20_000, retry_options=types.HttpRetryOptions(attempts=1)
)
client: Any = genai.Client(api_key=h.key(), http_options=OPTIONS)
FUNCTION = types.FunctionDeclaration(
    name="weather", description="The weather.", parameters_json_schema=h.WEATHER
)
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)


def create(model: str, contents: Any, **config: Any) -> Any:
    made = types.GenerateContentConfig(**config) if config else None
    return client.models.generate_content(model=model, contents=contents, config=made)


def chunks(model: str, contents: Any, **config: Any) -> Sequence[Any]:
    made = types.GenerateContentConfig(**config) if config else None
    return list(client.models.generate_content_stream(model=model, contents=contents, config=made))


def plain(model: str) -> None:
    answer = create(model, h.HELLO, system_instruction="Be short.")
    h.same(answer.text, h.TEXT)
    h.same(answer.candidates[0].finish_reason, types.FinishReason.STOP)
    assert answer.usage_metadata.total_token_count > 0


def stream(model: str) -> None:
    got = chunks(model, h.HELLO)
    h.same("".join(chunk.text or "" for chunk in got), h.TEXT)
    h.same(got[-1].candidates[0].finish_reason, types.FinishReason.STOP)
    assert got[-1].usage_metadata.total_token_count > 0


def converse(model: str, question: str, *cities: str, thoughts: bool = False) -> str:
    """Ask, run the tools it calls, and return what is said then. The first answer is streamed."""
    config: dict[str, Any] = {
        "tools": [types.Tool(function_declarations=[FUNCTION])],
        "automatic_function_calling": BY_HAND,
    }
    if thoughts:
        config["thinking_config"] = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    got = chunks(model, question, **config)
    parts = [part for chunk in got for part in (chunk.candidates[0].content.parts or ())]
    calls = [part.function_call for part in parts if part.function_call]
    h.same([call.name for call in calls], ["weather"] * len(cities))
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"output": h.weather(city)}
            )
        )
        for call, city in zip(calls, cities, strict=True)
    ]
    turns = [
        types.UserContent(question),
        types.Content(role="model", parts=parts),
        types.Content(role="user", parts=results),
    ]
    return create(model, turns, **config).text


def tools(model: str) -> None:
    h.told(model, converse(model, h.ROME, "Rome"), "Rome")


def parallel(model: str) -> None:
    h.told(model, converse(model, h.BOTH, "Rome", "Oslo"), "Rome", "Oslo")


def image(model: str) -> None:
    picture = types.Part.from_bytes(data=h.picture(), mime_type="image/png")
    h.pictured(model, create(model, [picture, h.LOOK]).text)


def structured(model: str) -> None:
    answer = create(model, h.WHO, response_mime_type="application/json", response_json_schema=h.PERSON)
    h.person(model, answer.text)


def thinking(model: str) -> None:
    h.told(model, converse(model, h.ROME, "Rome", thoughts=True), "Rome", remembers=True)


def error(model: str) -> None:
    caught = h.refuses(lambda: create(model, h.FAIL), errors.ClientError, words=h.BUSY)
    assert isinstance(caught, errors.ClientError)
    h.same((caught.code, caught.status), (429, "RESOURCE_EXHAUSTED"))


def cut(model: str) -> None:
    h.broken(h.refuses(lambda: chunks(model, h.BREAK_OFF), errors.APIError))


h.main(
    {
        "plain": plain,
        "stream": stream,
        "tools": tools,
        "parallel tools": parallel,
        "image": image,
        "structured output": structured,
        "thinking": thinking,
        "error": error,
        "cut stream": cut,
    }
)
