"""Cohere's official SDK, at the provider's own paths."""

from __future__ import annotations

from typing import Any

import cohere
import harness as h
import httpx
from cohere.errors import TooManyRequestsError

TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather.", "parameters": h.WEATHER},
}
ONCE: Any = {"max_retries": 0}


def client(model: str) -> tuple[Any, str]:
    """Make a client for a model's provider, and tell the model's own name."""
    provider, _, name = model.partition("/")
    return cohere.ClientV2(h.key(), base_url=f"{h.url()}/provider/{provider}", timeout=20), name


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def chat(model: str, *messages: Any, **more: Any) -> Any:
    sdk, name = client(model)
    return sdk.chat(model=name, messages=list(messages), request_options=ONCE, **more)


def streamed(model: str, *messages: Any, **more: Any) -> list[Any]:
    sdk, name = client(model)
    return list(sdk.chat_stream(model=name, messages=list(messages), request_options=ONCE, **more))


def text_of(answer: Any) -> str:
    return "".join(part.text for part in answer.message.content or () if part.type == "text")


def plain(model: str) -> None:
    answer = chat(model, {"role": "system", "content": "Be short."}, user(h.HELLO))
    h.same(text_of(answer), h.TEXT)
    h.same(answer.finish_reason, "COMPLETE")
    assert answer.usage.billed_units.input_tokens > 0


def stream(model: str) -> None:
    events = streamed(model, user(h.HELLO))
    words = [event.delta.message.content.text for event in events if event.type == "content-delta"]
    h.same("".join(words), h.TEXT)
    h.same(events[-1].type, "message-end")
    assert events[-1].delta.usage.billed_units.output_tokens > 0


def converse(model: str, question: str, *cities: str, **more: Any) -> str:
    first = chat(model, user(question), tools=[TOOL], **more)
    h.same(first.finish_reason, "TOOL_CALL")
    calls = first.message.tool_calls
    h.same([call.function.name for call in calls], ["weather"] * len(cities))
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": h.weather(city)}
        for call, city in zip(calls, cities, strict=True)
    ]
    return text_of(chat(model, user(question), first.message, *results, tools=[TOOL], **more))


def tools(model: str) -> None:
    h.told(model, converse(model, h.ROME, "Rome"), "Rome")


def parallel(model: str) -> None:
    h.told(model, converse(model, h.BOTH, "Rome", "Oslo"), "Rome", "Oslo")


def image(model: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{h.picture64()}"}}
    h.pictured(model, text_of(chat(model, user([picture, {"type": "text", "text": h.LOOK}]))))


def structured(model: str) -> None:
    form = {"type": "json_object", "json_schema": h.PERSON}
    h.person(model, text_of(chat(model, user(h.WHO), response_format=form)))


def thinking(model: str) -> None:
    thoughts = {"type": "enabled", "token_budget": 1024}
    h.told(model, converse(model, h.ROME, "Rome", thinking=thoughts), "Rome", remembers=True)


def error(model: str) -> None:
    caught = h.refuses(lambda: chat(model, user(h.FAIL)), TooManyRequestsError, words=h.BUSY)
    assert isinstance(caught, TooManyRequestsError)
    h.same((caught.headers or {}).get("retry-after"), "7")


def cut(model: str) -> None:
    seen: list[Any] = []

    def ask() -> object:
        sdk, name = client(model)
        for event in sdk.chat_stream(model=name, messages=[user(h.BREAK_OFF)], request_options=ONCE):
            seen.append(event)  # noqa: PERF402 - what came before the error is looked at
        return seen

    h.refuses(ask, httpx.RemoteProtocolError)
    h.same((seen[-1].type, seen[-1].delta.finish_reason), ("message-end", "ERROR"))
    h.broken(Exception(seen[-1].delta.error))


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
