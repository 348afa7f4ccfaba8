"""What LlamaIndex's models have in common, whatever they are made for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import harness as h
from llama_index.core.llms import ChatMessage, ImageBlock, TextBlock
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

Make = Callable[..., Any]
"""Makes a model by name, with more settings."""


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def weather(city: str) -> str:
    """The weather."""
    return h.weather(city)


def cells(make: Make, thoughts: Mapping[str, Any], *busy: type[BaseException]) -> Mapping[str, h.Cell]:
    """Make all cells. `thoughts` are the settings that let the model think; `busy` is what a busy model raises."""
    tool = FunctionTool.from_defaults(weather)

    def plain(model: str) -> None:
        answer = make(model).chat([ChatMessage("Be short.", role="system"), ChatMessage(h.HELLO)])
        h.same(answer.message.content, h.TEXT)

    def stream(model: str) -> None:
        chunks = list(make(model).stream_chat([ChatMessage(h.HELLO)]))
        h.same("".join(chunk.delta or "" for chunk in chunks), h.TEXT)
        h.same(chunks[-1].message.content, h.TEXT)

    def converse(model: str, question: str, *cities: str, **more: Any) -> str:
        llm = make(model, **more)
        asked = ChatMessage(question)
        *_, first = llm.stream_chat_with_tools([tool], chat_history=[asked], allow_parallel_tool_calls=True)
        calls = llm.get_tool_calls_from_response(first, error_on_no_tool_call=False)
        h.same([call.tool_name for call in calls], ["weather"] * len(cities))
        results = [
            ChatMessage(
                h.weather(city),
                role="tool",
                additional_kwargs={"tool_call_id": call.tool_id, "name": call.tool_name},
            )
            for call, city in zip(calls, cities, strict=True)
        ]
        answer = llm.chat_with_tools(
            [tool], chat_history=[asked, first.message, *results], allow_parallel_tool_calls=True
        )
        return answer.message.content

    def tools(model: str) -> None:
        h.told(model, converse(model, h.ROME, "Rome"), "Rome")

    def parallel(model: str) -> None:
        h.told(model, converse(model, h.BOTH, "Rome", "Oslo"), "Rome", "Oslo")

    def image(model: str) -> None:
        picture = ImageBlock(image=h.picture(), image_mimetype="image/png")
        asked = ChatMessage(role="user", blocks=[TextBlock(text=h.LOOK), picture])
        h.pictured(model, make(model).chat([asked]).message.content)

    def structured(model: str) -> None:
        got = make(model).as_structured_llm(Person).chat([ChatMessage(h.WHO)])
        h.person(model, json.dumps(got.raw.model_dump()))

    def thinking(model: str) -> None:
        h.told(model, converse(model, h.ROME, "Rome", **thoughts), "Rome", remembers=True)

    def error(model: str) -> None:
        h.refuses(lambda: make(model).chat([ChatMessage(h.FAIL)]), *busy, words=h.BUSY)

    def cut(model: str) -> None:
        h.broken(h.refuses(lambda: list(make(model).stream_chat([ChatMessage(h.BREAK_OFF)])), Exception))

    return {
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
