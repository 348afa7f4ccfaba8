"""What LangChain's models have in common, whatever they are made for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import harness as h
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel

Make = Callable[..., Any]
"""Makes a chat model by name, with more settings."""


class Person(BaseModel):
    """A person."""

    name: str
    age: int


@tool
def weather(city: str) -> str:
    """The weather."""
    return h.weather(city)


def text_of(message: Any) -> str:
    """Return the text of a message, without thoughts."""
    return message.text if isinstance(message.text, str) else message.text()


def cells(make: Make, thoughts: Mapping[str, Any], *busy: type[BaseException]) -> Mapping[str, h.Cell]:
    """Make all cells. `thoughts` are the settings that let the model think; `busy` is what a busy model raises."""

    def plain(model: str) -> None:
        answer = make(model).invoke([SystemMessage("Be short."), HumanMessage(h.HELLO)])
        h.same(text_of(answer), h.TEXT)
        assert answer.usage_metadata["total_tokens"] > 0

    def stream(model: str) -> None:
        chunks = list(make(model).stream(h.HELLO))
        h.same("".join(map(text_of, chunks)), h.TEXT)
        whole = sum(chunks[1:], chunks[0])
        assert whole.usage_metadata["total_tokens"] > 0

    def converse(model: str, question: str, *cities: str, **more: Any) -> str:
        chat = make(model, **more).bind_tools([weather])
        chunks = list(chat.stream(question))
        first = sum(chunks[1:], chunks[0])
        h.same([(call["name"]) for call in first.tool_calls], ["weather"] * len(cities))
        results = [
            ToolMessage(h.weather(city), tool_call_id=call["id"], name=call["name"])
            for call, city in zip(first.tool_calls, cities, strict=True)
        ]
        said = AIMessage(
            **{
                name: value
                for name, value in first.model_dump().items()
                if name in AIMessage.model_fields and name != "type"
            }
        )
        return text_of(chat.invoke([HumanMessage(question), said, *results]))

    def tools(model: str) -> None:
        h.told(model, converse(model, h.ROME, "Rome"), "Rome")

    def parallel(model: str) -> None:
        h.told(model, converse(model, h.BOTH, "Rome", "Oslo"), "Rome", "Oslo")

    def image(model: str) -> None:
        picture = {"type": "image", "base64": h.picture64(), "mime_type": "image/png"}
        content: Any = [{"type": "text", "text": h.LOOK}, picture]
        h.pictured(model, text_of(make(model).invoke([HumanMessage(content)])))

    def structured(model: str) -> None:
        got = make(model).with_structured_output(Person).invoke(h.WHO)
        h.person(model, json.dumps(got.model_dump()))

    def thinking(model: str) -> None:
        h.told(model, converse(model, h.ROME, "Rome", **thoughts), "Rome", remembers=True)

    def error(model: str) -> None:
        h.refuses(lambda: make(model).invoke(h.FAIL), *busy, words=h.BUSY)

    def cut(model: str) -> None:
        h.broken(h.refuses(lambda: list(make(model).stream(h.BREAK_OFF)), Exception))

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
