"""Legacy completions for clients of providers that only chat: the prompt becomes the user's message.

https://platform.openai.com/docs/api-reference/completions/create
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NoReturn

import msgspec
from msgspec import Raw, Struct

from gateway.errors import InvalidRequest
from gateway.types import Dialect, Usage
from gateway.wire.body import read_request
from gateway.wire.canonical import ChatAnswer, ChatRequest, Choice, Message, Refusal, Text
from gateway.wire.codec import EventDecoder, EventEncoder, Losses
from gateway.wire.estimate import usage_of
from gateway.wire.openai_chat.words import usage_fields
from gateway.wire.openai_completions.stream import CompletionEncoder
from gateway.wire.openai_completions.words import FINISH, logprobs_fields


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Request(Struct):
    model: str
    prompt: str | list[str | int | list[int]]
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: int | None = None
    user: str | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_KNOWN: Final = frozenset(_Request.__struct_fields__)
_DIALECT: Final[Dialect] = "openai.completions"
_NEUTRAL: Final = (None, False, "")


class OpenAICompletionsCodec:
    """Completions as a client speaks them; a provider that has them gets the client's own bytes."""

    dialect: Dialect = _DIALECT
    names: Mapping[str, str] = MappingProxyType({"top_logprobs": "logprobs"})
    content_type = "application/json"
    takes_n = True

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> ChatRequest:
        """Read a client's request; what chat has no word for (`echo`, `suffix`, `best_of`) is in `extra`."""
        given = read_request(_decode_request, body)
        fields = _decode_fields(body)
        extra = {name: msgspec.json.decode(fields[name]) for name in fields.keys() - _KNOWN}
        if extra.get("best_of") in {None, given.n or 1}:
            extra.pop("best_of", None)
        options = given.stream_options
        return ChatRequest(
            dialect=_DIALECT,
            model=model,
            messages=(Message(role="user", parts=(Text(text=_prompt(given.prompt)),)),),
            stream=stream,
            shows_usage=options is not None and bool(options.include_usage),
            max_tokens=given.max_tokens,
            temperature=given.temperature,
            top_p=given.top_p,
            stop=(given.stop,) if isinstance(given.stop, str) else tuple(given.stop or ()),
            seed=given.seed,
            n=given.n,
            presence_penalty=given.presence_penalty,
            frequency_penalty=given.frequency_penalty,
            logit_bias=given.logit_bias,
            logprobs=None if given.logprobs is None else True,
            top_logprobs=given.logprobs,
            user=given.user,
            extra={name: value for name, value in extra.items() if value not in _NEUTRAL},
        )

    def encode_answer(self, answer: ChatAnswer, request: ChatRequest) -> bytes:
        """Write a whole completion."""
        fields: dict[str, Any] = {
            "id": answer.id or f"cmpl-{time.time_ns()}",
            "object": "text_completion",
            "created": answer.created or int(time.time()),
            "model": answer.model or request.model,
            "choices": [_choice(choice) for choice in answer.choices],
            "system_fingerprint": answer.fingerprint,
        }
        if answer.usage is not None:
            fields["usage"] = usage_fields(answer.usage)
        return msgspec.json.encode(fields)

    def usage(self, answer: ChatAnswer, request: ChatRequest) -> Usage:
        """Tell what the provider says, or estimate from the texts."""
        return usage_of(answer, request)

    def encoder(self, request: ChatRequest) -> EventEncoder:
        """Make a writer for one stream."""
        return CompletionEncoder(request)

    def encode_request(self, request: ChatRequest, model: str, losses: Losses) -> bytes:
        """No provider is asked in this dialect but with a client's own bytes."""
        del request, model, losses
        _no_provider()

    def decode_answer(self, body: bytes) -> ChatAnswer:
        """No provider answers in this dialect but to the client's own bytes."""
        del body
        _no_provider()

    def decoder(self) -> EventDecoder:
        """No provider answers in this dialect but to the client's own bytes."""
        _no_provider()


def _prompt(prompt: str | list[str | int | list[int]]) -> str:
    """Take one text; many, or token ids, can only be given to a provider that has completions itself."""
    if isinstance(prompt, str):
        return prompt
    match prompt:
        case [str() as text]:
            return text
        case []:
            what = "an empty list"
        case [str(), *_]:
            what = f"{len(prompt)} prompts"
        case _:
            what = "token ids"
    raise InvalidRequest(
        f"The model chats only, and cannot be given {what}. Send one request for each prompt, as text, or choose a model "
        "of a provider that has completions.",
        param="prompt",
        code="unsupported_value",
    )


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "text": _text(choice.parts),
        "index": choice.index,
        "logprobs": logprobs_fields(choice.logprobs, 0) if choice.logprobs else None,
        "finish_reason": FINISH.get(choice.stop or "stop", "stop"),
    }


def _text(parts: Sequence[Any]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text | Refusal))


def _no_provider() -> NoReturn:
    raise NotImplementedError(f"providers do not speak {_DIALECT} with any but its own clients")
