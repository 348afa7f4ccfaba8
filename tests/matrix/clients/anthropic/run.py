"""Anthropic's official SDK."""

from __future__ import annotations

from typing import Any

import anthropic
import harness as h

client: Any = anthropic.Anthropic(base_url=h.url(), api_key=h.key(), max_retries=0, timeout=20)
TOOL = {"name": "weather", "description": "The weather.", "input_schema": h.WEATHER}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def create(model: str, *messages: Any, **more: Any) -> Any:
    return client.messages.create(model=model, max_tokens=4096, messages=list(messages), **more)


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def plain(model: str) -> None:
    answer = create(model, user(h.HELLO), system="Be short.")
    h.same(text_of(answer), h.TEXT)
    h.same(answer.stop_reason, "end_turn")
    assert answer.usage.input_tokens > 0


def stream(model: str) -> None:
    with client.messages.stream(model=model, max_tokens=100, messages=[user(h.HELLO)]) as events:
        text = "".join(events.text_stream)
        final = events.get_final_message()
    h.same((text, text_of(final)), (h.TEXT, h.TEXT))
    h.same(final.stop_reason, "end_turn")
    assert final.usage.output_tokens > 0


def converse(model: str, question: str, *cities: str, thoughts: bool = False) -> str:
    """Ask, run the tools it calls, and return what is said then. The first answer is streamed."""
    more: dict[str, Any] = {"tools": [TOOL], "max_tokens": 4096}
    if thoughts:
        more["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    with client.messages.stream(model=model, messages=[user(question)], **more) as events:
        first = events.get_final_message()
    h.same(first.stop_reason, "tool_use")
    calls = [block for block in first.content if block.type == "tool_use"]
    h.same([call.name for call in calls], ["weather"] * len(cities))
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": h.weather(city)}
        for call, city in zip(calls, cities, strict=True)
    ]
    said = {"role": "assistant", "content": first.content}
    return text_of(
        client.messages.create(model=model, messages=[user(question), said, user(results)], **more)
    )


def tools(model: str) -> None:
    h.told(model, converse(model, h.ROME, "Rome"), "Rome")


def parallel(model: str) -> None:
    h.told(model, converse(model, h.BOTH, "Rome", "Oslo"), "Rome", "Oslo")


def image(model: str) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": h.picture64()}
    answer = create(model, user([{"type": "image", "source": source}, {"type": "text", "text": h.LOOK}]))
    h.pictured(model, text_of(answer))


def structured(model: str) -> None:
    form = {"format": {"type": "json_schema", "schema": h.PERSON}}
    h.person(model, text_of(create(model, user(h.WHO), output_config=form)))


def thinking(model: str) -> None:
    h.told(model, converse(model, h.ROME, "Rome", thoughts=True), "Rome", remembers=True)


def error(model: str) -> None:
    caught = h.refuses(lambda: create(model, user(h.FAIL)), anthropic.RateLimitError, words=h.BUSY)
    assert isinstance(caught, anthropic.RateLimitError)
    h.same(caught.response.headers["retry-after"], "7")


def cut(model: str) -> None:
    def ask() -> object:
        with client.messages.stream(model=model, max_tokens=100, messages=[user(h.BREAK_OFF)]) as events:
            return events.get_final_message()

    h.broken(h.refuses(ask, anthropic.APIError))


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
