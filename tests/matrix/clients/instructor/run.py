"""Instructor over OpenAI's SDK: objects in place of text, by way of a tool that must be called."""

from __future__ import annotations

import json
from typing import Any

import harness as h
import instructor
import openai
from pydantic import BaseModel

client: Any = instructor.from_openai(
    openai.OpenAI(base_url=f"{h.url()}/v1", api_key=h.key(), max_retries=0, timeout=20)
)


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def ask(model: str, content: Any, **more: Any) -> Any:
    messages = [{"role": "user", "content": content}]
    return client.chat.completions.create(
        model=model, messages=messages, response_model=Person, max_retries=1, **more
    )


def structured(model: str) -> None:
    h.person(model, json.dumps(ask(model, h.WHO).model_dump()))


def stream(model: str) -> None:
    messages = [{"role": "user", "content": h.WHO}]
    *_, last = client.chat.completions.create_partial(
        model=model, messages=messages, response_model=Person, max_retries=1
    )
    h.person(model, json.dumps(last.model_dump()))


def error(model: str) -> None:
    h.refuses(lambda: ask(model, h.FAIL), Exception, words=h.BUSY)


def cut(model: str) -> None:
    messages = [{"role": "user", "content": h.BREAK_OFF}]

    def read() -> object:
        return list(
            client.chat.completions.create_partial(
                model=model, messages=messages, response_model=Person, max_retries=1
            )
        )

    h.broken(h.refuses(read, Exception))


OBJECTS_ONLY = "Instructor is for objects only; its streams are of objects that grow."
h.main(
    {
        "plain": h.absent(OBJECTS_ONLY),
        "stream": stream,
        "tools": h.absent(OBJECTS_ONLY),
        "parallel tools": h.absent(OBJECTS_ONLY),
        "image": h.absent(OBJECTS_ONLY),
        "structured output": structured,
        "thinking": h.absent(OBJECTS_ONLY),
        "error": error,
        "cut stream": cut,
    }
)
