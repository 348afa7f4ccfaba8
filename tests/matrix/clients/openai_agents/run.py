"""OpenAI's Agents SDK, over the Responses API, which is its default."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import agents
import harness as h
import openai
from openai.types.shared import Reasoning
from pydantic import BaseModel

client = openai.AsyncOpenAI(base_url=f"{h.url()}/v1", api_key=h.key(), max_retries=0, timeout=20)
agents.set_tracing_disabled(disabled=True)
LOOP = asyncio.new_event_loop()


class Person(BaseModel):
    """A person."""

    name: str
    age: int


@agents.function_tool
def weather(city: str) -> str:
    """The weather."""
    return h.weather(city)


def agent(model: str, **more: Any) -> agents.Agent[None]:
    named = agents.OpenAIResponsesModel(model=model, openai_client=client)
    return agents.Agent(name="Helper", instructions="Be short.", model=named, **more)


def run(model: str, question: Any, **more: Any) -> Any:
    return LOOP.run_until_complete(agents.Runner.run(agent(model, **more), question)).final_output


async def streamed(model: str, question: Any, **more: Any) -> tuple[str, Any]:
    got = agents.Runner.run_streamed(agent(model, **more), question)
    events = [event.data async for event in got.stream_events() if event.type == "raw_response_event"]
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    return text, got.final_output


def plain(model: str) -> None:
    h.same(run(model, h.HELLO), h.TEXT)


def stream(model: str) -> None:
    h.same(LOOP.run_until_complete(streamed(model, h.HELLO)), (h.TEXT, h.TEXT))


def tools(model: str) -> None:
    _, answer = LOOP.run_until_complete(streamed(model, h.ROME, tools=[weather]))
    h.told(model, answer, "Rome")


def parallel(model: str) -> None:
    h.told(model, run(model, h.BOTH, tools=[weather]), "Rome", "Oslo")


def image(model: str) -> None:
    url = f"data:image/png;base64,{h.picture64()}"
    parts = [
        {"type": "input_text", "text": h.LOOK},
        {"type": "input_image", "image_url": url, "detail": "auto"},
    ]
    h.pictured(model, run(model, [{"role": "user", "content": parts}]))


def structured(model: str) -> None:
    h.person(model, json.dumps(run(model, h.WHO, output_type=Person).model_dump()))


def thinking(model: str) -> None:
    settings = agents.ModelSettings(
        reasoning=Reasoning(effort="low", summary="auto"),
        response_include=["reasoning.encrypted_content"],
        store=False,
    )
    h.told(model, run(model, h.ROME, tools=[weather], model_settings=settings), "Rome", remembers=True)


def error(model: str) -> None:
    h.refuses(lambda: run(model, h.FAIL), openai.RateLimitError, words=h.BUSY)


def cut(model: str) -> None:
    h.broken(h.refuses(lambda: LOOP.run_until_complete(streamed(model, h.BREAK_OFF)), Exception))


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
