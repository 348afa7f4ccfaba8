"""Pydantic AI's model for OpenAI's chat completions."""

from __future__ import annotations

import json
from typing import Any

import harness as h
import openai
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

client = openai.AsyncOpenAI(base_url=f"{h.url()}/v1", api_key=h.key(), max_retries=0, timeout=20)


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def agent(model: str, **more: Any) -> Agent[None, Any]:
    named = OpenAIChatModel(model, provider=OpenAIProvider(openai_client=client))
    return Agent(named, instructions="Be short.", **more)


def weather(city: str) -> str:
    """The weather."""
    return h.weather(city)


def plain(model: str) -> None:
    h.same(agent(model).run_sync(h.HELLO).output, h.TEXT)


def streamed(model: str, question: str, **more: Any) -> str:
    return "".join(agent(model, **more).run_stream_sync(question).stream_text(delta=True, debounce_by=None))


def stream(model: str) -> None:
    h.same(streamed(model, h.HELLO), h.TEXT)


def tools(model: str) -> None:
    h.told(model, streamed(model, h.ROME, tools=[weather]), "Rome")


def parallel(model: str) -> None:
    h.told(model, agent(model, tools=[weather]).run_sync(h.BOTH).output, "Rome", "Oslo")


def image(model: str) -> None:
    picture = BinaryContent(data=h.picture(), media_type="image/png")
    h.pictured(model, agent(model).run_sync([h.LOOK, picture]).output)


def structured(model: str) -> None:
    got = agent(model, output_type=NativeOutput(Person)).run_sync(h.WHO).output
    h.person(model, json.dumps(got.model_dump()))


def thinking(model: str) -> None:
    made = agent(model, tools=[weather], model_settings={"openai_reasoning_effort": "low"})
    h.told(model, made.run_sync(h.ROME).output, "Rome", remembers=True)


def error(model: str) -> None:
    caught = h.refuses(lambda: agent(model).run_sync(h.FAIL), ModelHTTPError, words=h.BUSY)
    assert isinstance(caught, ModelHTTPError)
    h.same(caught.status_code, 429)


def cut(model: str) -> None:
    h.broken(h.refuses(lambda: streamed(model, h.BREAK_OFF), Exception))


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
