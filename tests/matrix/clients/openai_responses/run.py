"""OpenAI's official SDK, responses."""

from __future__ import annotations

from typing import Any

import harness as h
import openai

client: Any = openai.OpenAI(base_url=f"{h.url()}/v1", api_key=h.key(), max_retries=0, timeout=20)
TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather.",
    "parameters": h.WEATHER,
    "strict": False,
}


def create(model: str, input: Any, **more: Any) -> Any:
    return client.responses.create(model=model, input=input, **more)


def plain(model: str) -> None:
    answer = create(model, h.HELLO, instructions="Be short.")
    h.same((answer.output_text, answer.status), (h.TEXT, "completed"))
    assert answer.usage.total_tokens > 0


def stream(model: str) -> None:
    with client.responses.stream(model=model, input=h.HELLO) as events:
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        final = events.get_final_response()
    h.same((text, final.output_text, final.status), (h.TEXT, h.TEXT, "completed"))
    assert final.usage.total_tokens > 0


def converse(model: str, question: str, *cities: str, stateful: bool = True, **more: Any) -> str:
    """Ask, run the tools it calls, and return what is said then. The first answer is streamed."""
    more = {"tools": [TOOL], "store": stateful, **more}
    with client.responses.stream(model=model, input=question, **more) as events:
        for _ in events:
            pass
        first = events.get_final_response()
    calls = [item for item in first.output if item.type == "function_call"]
    h.same([call.name for call in calls], ["weather"] * len(cities))
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": h.weather(city)}
        for call, city in zip(calls, cities, strict=True)
    ]
    if stateful:
        return create(model, results, previous_response_id=first.id, **more).output_text
    said = [
        item.model_dump(exclude_none=True, exclude={"parsed_arguments", "status"}) for item in first.output
    ]
    return create(model, [{"role": "user", "content": question}, *said, *results], **more).output_text


def tools(model: str) -> None:
    h.told(model, converse(model, h.ROME, "Rome"), "Rome")


def parallel(model: str) -> None:
    h.told(model, converse(model, h.BOTH, "Rome", "Oslo", stateful=False), "Rome", "Oslo")


def image(model: str) -> None:
    url = f"data:image/png;base64,{h.picture64()}"
    parts = [
        {"type": "input_text", "text": h.LOOK},
        {"type": "input_image", "image_url": url, "detail": "auto"},
    ]
    h.pictured(model, create(model, [{"role": "user", "content": parts}]).output_text)


def structured(model: str) -> None:
    form = {"format": {"type": "json_schema", "name": "person", "strict": True, "schema": h.PERSON}}
    h.person(model, create(model, h.WHO, text=form).output_text)


def thinking(model: str) -> None:
    more = {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]}
    answer = converse(model, h.ROME, "Rome", stateful=False, **more)
    h.told(model, answer, "Rome", remembers=True)


def error(model: str) -> None:
    caught = h.refuses(lambda: create(model, h.FAIL), openai.RateLimitError, words=h.BUSY)
    assert isinstance(caught, openai.RateLimitError)
    h.same(caught.response.headers["retry-after"], "7")


def cut(model: str) -> None:
    def ask() -> object:
        seen = list(create(model, h.BREAK_OFF, stream=True))
        if seen[-1].type == "response.failed":
            raise ValueError(seen[-1].response.error.message)
        return seen

    h.broken(h.refuses(ask, openai.APIError, ValueError))


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
