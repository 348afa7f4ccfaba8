"""OpenAI's official SDK, chat completions."""

from __future__ import annotations

from typing import Any

import harness as h
import openai

client: Any = openai.OpenAI(base_url=f"{h.url()}/v1", api_key=h.key(), max_retries=0, timeout=20)
TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather.", "parameters": h.WEATHER},
}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def create(model: str, *messages: Any, **more: Any) -> Any:
    return client.chat.completions.create(model=model, messages=list(messages), **more)


def plain(model: str) -> None:
    answer = create(model, {"role": "developer", "content": "Be short."}, user(h.HELLO))
    h.same(answer.choices[0].message.content, h.TEXT)
    h.same(answer.choices[0].finish_reason, "stop")
    assert answer.usage.total_tokens > 0


def stream(model: str) -> None:
    chunks = list(create(model, user(h.HELLO), stream=True, stream_options={"include_usage": True}))
    h.same("".join(one.delta.content or "" for chunk in chunks for one in chunk.choices), h.TEXT)
    h.same([one.finish_reason for chunk in chunks for one in chunk.choices if one.finish_reason], ["stop"])
    assert chunks[-1].usage.total_tokens > 0


def converse(model: str, question: str, *cities: str, **more: Any) -> str:
    """Ask, run the tools it calls, and return what is said then. The first answer is streamed."""
    with client.chat.completions.stream(
        model=model, messages=[user(question)], tools=[TOOL], **more
    ) as events:
        for _ in events:
            pass
        choice = events.get_final_completion().choices[0]
    h.same(choice.finish_reason, "tool_calls")
    calls = choice.message.tool_calls
    h.same([call.function.name for call in calls], ["weather"] * len(cities))
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": h.weather(city)}
        for call, city in zip(calls, cities, strict=True)
    ]
    said = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
    for call in said["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
        call.pop("index", None)
    answer = create(model, user(question), said, *results, tools=[TOOL], **more)
    return answer.choices[0].message.content


def tools(model: str) -> None:
    h.told(model, converse(model, h.ROME, "Rome"), "Rome")


def parallel(model: str) -> None:
    h.told(model, converse(model, h.BOTH, "Rome", "Oslo"), "Rome", "Oslo")


def image(model: str) -> None:
    url = f"data:image/png;base64,{h.picture64()}"
    parts = [{"type": "text", "text": h.LOOK}, {"type": "image_url", "image_url": {"url": url}}]
    h.pictured(model, create(model, user(parts)).choices[0].message.content)


def structured(model: str) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": h.PERSON}}
    answer = create(model, user(h.WHO), response_format=form)
    h.person(model, answer.choices[0].message.content)


def thinking(model: str) -> None:
    answer = converse(model, h.ROME, "Rome", reasoning_effort="low")
    h.told(model, answer, "Rome", remembers=True)


def error(model: str) -> None:
    caught = h.refuses(lambda: create(model, user(h.FAIL)), openai.RateLimitError, words=h.BUSY)
    assert isinstance(caught, openai.RateLimitError)
    h.same(caught.response.headers["retry-after"], "7")


def cut(model: str) -> None:
    h.broken(h.refuses(lambda: list(create(model, user(h.BREAK_OFF), stream=True)), openai.APIError))


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
