"""Anthropic's Messages API, passed through as it is. https://platform.claude.com/docs/en/api/messages/create."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import sse
from gateway.wire.anthropic_messages.errors import error_body
from gateway.wire.anthropic_messages.seals import DIALECT
from gateway.wire.anthropic_messages.stream import read_event
from gateway.wire.anthropic_messages.thoughts import as_if_its_own
from gateway.wire.anthropic_messages.usage import RawUsage, merged, usage
from gateway.wire.body import read_answer, read_request
from gateway.wire.dialect import PLAIN, Given, Head
from gateway.wire.estimate import estimated_tokens, text_length
from gateway.wire.model_field import name_model
from gateway.wire.untouched import UntouchedReader

PING: Final = b'event: ping\ndata: {"type": "ping"}\n\n'


class _Request(Struct):
    model: str
    messages: list[Raw]
    max_tokens: int
    stream: bool | None = None


class _Answer(Struct):
    usage: RawUsage | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_answer = msgspec.json.Decoder(_Answer).decode
_encode = msgspec.json.encode


class AnthropicMessages:
    """Messages, whole and streamed."""

    name: Dialect = DIALECT
    capability: Capability = "chat"
    keep_alive = PING

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read model and stream."""
        request = read_request(_decode_request, body)
        check_head(request.model, request.messages)
        return Head(request.model, bool(request.stream))

    def prepare(self, call: Call, model: str) -> bytes:
        """Swap the model's name where it differs; usage comes without being asked for."""
        return for_provider(call, model)

    def usage(self, body: bytes) -> Usage | None:
        """Find usage in a message."""
        answer = read_answer(_decode_answer, body)
        return usage(answer.usage) if answer and answer.usage else None

    def estimate(self, call: Call, body: bytes) -> Usage:
        """Estimate from the text of the request and of the answer."""
        return Usage(
            prompt_tokens=_prompt(call),
            completion_tokens=estimated_tokens(text_length(body, "content")),
            estimated=True,
        )

    def reader(self, call: Call) -> MessagesReader:  # noqa: ARG002 - a wire is given it
        """Make a reader; everything passes."""
        return MessagesReader()

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as Anthropic does."""
        return error_body(error)

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error inside a stream: an event of that name, which Anthropic's SDKs raise."""
        return sse.event(error_body(error), "error")


class MessagesReader(UntouchedReader):
    """Follows a stream of message events, which all pass untouched; only `message_stop` is an end."""

    __slots__ = ("_raw",)

    usage: Usage | None

    def __init__(self) -> None:
        super().__init__()
        self._raw: RawUsage | None = None

    def estimate(self, call: Call) -> Usage:
        """Estimate from the characters that passed, and the prompt's tokens, which the beginning of the stream tells."""
        known = usage(self._raw) if self._raw is not None and self._raw.input_tokens is not None else None
        return Usage(
            prompt_tokens=known.prompt_tokens if known else _prompt(call),
            completion_tokens=estimated_tokens(self._characters),
            cached_read_tokens=known.cached_read_tokens if known else 0,
            cached_write_tokens=known.cached_write_tokens if known else 0,
            estimated=True,
        )

    def _note(self, payload: bytes) -> bool:
        event = read_event(payload)
        self.began = True
        kind = event.type
        if kind == "content_block_delta":
            delta = event.delta
            if delta is not None:
                self._characters += len(delta.text) + len(delta.partial_json) + len(delta.thinking)
        elif kind == "message_start" and event.message is not None:
            self._raw = event.message.usage
        elif kind == "message_delta":
            if event.usage is not None:
                self._raw = merged(self._raw, event.usage)
                self.usage = usage(self._raw)
        elif kind == "message_stop":
            self.finished = True
        return True


def check_head(model: str, messages: list[Raw]) -> None:
    """Refuse what no provider could answer. Raises `InvalidRequest`."""
    if not model:
        raise InvalidRequest("model: String should have at least 1 character.", param="model")
    if not messages:
        raise InvalidRequest("messages: at least one message is required.", param="messages")


def for_provider(call: Call, model: str) -> bytes:
    """Return the body with the model's name swapped where it differs, as Anthropic takes it after another provider has answered."""
    body = as_if_its_own(call.body)
    return body if model == call.model else name_model(body, model)


def _prompt(call: Call) -> int:
    return estimated_tokens(text_length(call.body, "messages") + text_length(call.body, "system"))
