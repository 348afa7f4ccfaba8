"""The official SDKs in the midst of a conversation, as coding agents are: what a model said goes back as the SDK has it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import anthropic
import openai
from google import genai
from google.genai import types

from .clients import harness as h

NAME = "weather"
FUNCTION = {"name": NAME, "description": "The weather.", "parameters": h.WEATHER}
Calls = Sequence[tuple[str, Any]]
"""Id and arguments of each call."""


class Talker(Protocol):
    """One conversation."""

    def ask(self, text: str, picture: bytes | None = None) -> None:
        """Say something."""
        ...

    def tell(self, results: Mapping[str, str]) -> None:
        """Say what came of calls, by their ids."""
        ...

    async def answer(self, model: str) -> tuple[str, Calls]:
        """Have a model go on, which is to think first; return its words and its calls."""
        ...


class Claude:
    """Anthropic's SDK."""

    def __init__(self, url: str, key: str) -> None:
        self._client: Any = anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0, timeout=30)
        self._messages: list[Any] = []

    def ask(self, text: str, picture: bytes | None = None) -> None:
        content: list[Any] = [{"type": "text", "text": text}]
        if picture:
            source = {
                "type": "base64",
                "media_type": "image/png",
                "data": base64.b64encode(picture).decode(),
            }
            content.insert(0, {"type": "image", "source": source})
        self._messages.append({"role": "user", "content": content})

    def tell(self, results: Mapping[str, str]) -> None:
        content = [
            {"type": "tool_result", "tool_use_id": call, "content": text} for call, text in results.items()
        ]
        self._messages.append({"role": "user", "content": content})

    async def answer(self, model: str) -> tuple[str, Calls]:
        tool = {"name": NAME, "description": "The weather.", "input_schema": h.WEATHER}
        async with self._client.messages.stream(
            model=model,
            max_tokens=4096,
            messages=self._messages,
            thinking={"type": "enabled", "budget_tokens": 1024},
            tools=[{**tool, "cache_control": {"type": "ephemeral"}}],
        ) as events:
            content = (await events.get_final_message()).content
        self._messages.append({"role": "assistant", "content": content})
        calls = [(block.id, block.input) for block in content if block.type == "tool_use"]
        return "".join(block.text for block in content if block.type == "text"), calls


class Chat:
    """OpenAI's SDK, chat completions."""

    def __init__(self, url: str, key: str) -> None:
        self._client: Any = _openai(url, key)
        self._messages: list[Any] = [{"role": "developer", "content": "Be short."}]

    def ask(self, text: str, picture: bytes | None = None) -> None:
        content: list[Any] = [{"type": "text", "text": text}]
        if picture:
            content.insert(0, {"type": "image_url", "image_url": {"url": _data_url(picture)}})
        self._messages.append({"role": "user", "content": content})

    def tell(self, results: Mapping[str, str]) -> None:
        self._messages += [
            {"role": "tool", "tool_call_id": call, "content": text} for call, text in results.items()
        ]

    async def answer(self, model: str) -> tuple[str, Calls]:
        async with self._client.chat.completions.stream(
            model=model,
            messages=self._messages,
            reasoning_effort="low",
            tools=[{"type": "function", "function": FUNCTION}],
        ) as events:
            message = (await events.get_final_completion()).choices[0].message
        said = message.model_dump(exclude_none=True, exclude={"parsed"})
        for call in said.get("tool_calls", ()):
            call["function"].pop("parsed_arguments", None)
            call.pop("index", None)
        self._messages.append(said)
        calls = [(call.id, json.loads(call.function.arguments)) for call in message.tool_calls or ()]
        return message.content or "", calls


class Responses:
    """OpenAI's SDK, responses: the client keeps the conversation."""

    stored = False

    def __init__(self, url: str, key: str) -> None:
        self._client: Any = _openai(url, key)
        self._input: list[Any] = []
        self._last: str | None = None

    def ask(self, text: str, picture: bytes | None = None) -> None:
        content: list[Any] = [{"type": "input_text", "text": text}]
        if picture:
            content.insert(0, {"type": "input_image", "detail": "auto", "image_url": _data_url(picture)})
        self._input.append({"role": "user", "content": content})

    def tell(self, results: Mapping[str, str]) -> None:
        self._input += [
            {"type": "function_call_output", "call_id": call, "output": text}
            for call, text in results.items()
        ]

    async def answer(self, model: str) -> tuple[str, Calls]:
        async with self._client.responses.stream(
            model=model,
            input=self._input,
            store=self.stored,
            include=["reasoning.encrypted_content"],
            reasoning={"effort": "low", "summary": "auto"},
            tools=[{"type": "function", **FUNCTION, "strict": False}],
            **({"previous_response_id": self._last} if self.stored and self._last else {}),
        ) as events:
            async for _ in events:
                pass
            response = await events.get_final_response()
        self._last = response.id
        if self.stored:
            self._input = []
        else:
            left_out = {"parsed_arguments", "status"}
            self._input += [item.model_dump(exclude_none=True, exclude=left_out) for item in response.output]
        calls = [item for item in response.output if item.type == "function_call"]
        return response.output_text, [(call.call_id, json.loads(call.arguments)) for call in calls]


class Stored(Responses):
    """The same, but the gateway keeps the conversation."""

    stored = True


class Gemini:
    """Google's SDK."""

    def __init__(self, url: str, key: str) -> None:
        once = types.HttpRetryOptions(attempts=1)
        options = types.HttpOptions(base_url=url, timeout=30_000, retry_options=once)
        self._client: Any = genai.Client(api_key=key, http_options=options)
        self._contents: list[Any] = []

    def ask(self, text: str, picture: bytes | None = None) -> None:
        parts = [types.Part(text=text)]
        if picture:
            parts.insert(0, types.Part.from_bytes(data=picture, mime_type="image/png"))
        self._contents.append(types.Content(role="user", parts=parts))

    def tell(self, results: Mapping[str, str]) -> None:
        parts = [
            types.Part(
                function_response=types.FunctionResponse(id=call, name=NAME, response={"output": text})
            )
            for call, text in results.items()
        ]
        self._contents.append(types.Content(role="user", parts=parts))

    async def answer(self, model: str) -> tuple[str, Calls]:
        function = types.FunctionDeclaration(
            name=NAME, description="The weather.", parameters_json_schema=h.WEATHER
        )
        config = types.GenerateContentConfig(
            tools=[types.Tool(function_declarations=[function])],
            thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024),
        )
        parts: list[Any] = []
        async for chunk in await self._client.aio.models.generate_content_stream(
            model=model, contents=self._contents, config=config
        ):
            parts += chunk.candidates[0].content.parts or ()
        self._contents.append(types.Content(role="model", parts=parts))
        calls = [(part.function_call.id, part.function_call.args) for part in parts if part.function_call]
        return "".join(part.text for part in parts if part.text and not part.thought), calls


TALKERS = (Claude, Chat, Responses, Stored, Gemini)


def _openai(url: str, key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30)


def _data_url(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"
