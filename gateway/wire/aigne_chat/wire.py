"""AIGNE's chat as its clients speak it: JSON, or server-sent events. No provider does, so it is always translated."""

from __future__ import annotations

from http import HTTPStatus
from typing import NoReturn

import msgspec

from gateway.errors import GatewayError, InvalidRequest
from gateway.types import Call, Capability, Dialect, Usage
from gateway.wire import sse
from gateway.wire.aigne_chat.request import read
from gateway.wire.aigne_chat.shapes import DIALECT
from gateway.wire.dialect import PLAIN, Given, Head, StreamReader


class AigneChat:
    """Chats of AIGNE's framework."""

    name: Dialect = DIALECT
    capability: Capability = "chat"
    keep_alive = b": keep-alive\n\n"

    def read(self, body: bytes, _given: Given = PLAIN, /) -> Head:
        """Read the model and whether to stream."""
        request = read(body)
        options = request.input.model_options
        if options is None or not options.model:
            raise InvalidRequest(
                "You must provide a model: input.modelOptions.model.", param="input.modelOptions.model"
            )
        if not request.input.messages:
            raise InvalidRequest(
                "Invalid 'input.messages': expected at least one message.",
                param="input.messages",
                code="empty_array",
            )
        return Head(options.model, bool(request.options and request.options.streaming))

    def error(self, error: GatewayError) -> bytes:
        """Shape an error as OpenAI does, but for the type by which AIGNE's clients know that credits are used up."""
        return msgspec.json.encode({"error": _fields(error)})

    def error_event(self, error: GatewayError) -> bytes:
        """Shape an error inside a stream: an event of that name, which AIGNE's clients raise."""
        return sse.event(msgspec.json.encode(_fields(error)), "error")

    def prepare(self, call: Call, model: str) -> bytes:
        """No provider is asked in this dialect."""
        del call, model
        _no_provider()

    def usage(self, body: bytes) -> Usage | None:
        """No provider answers in this dialect."""
        del body
        _no_provider()

    def estimate(self, call: Call, body: bytes) -> Usage:
        """No provider answers in this dialect."""
        del call, body
        _no_provider()

    def reader(self, call: Call) -> StreamReader:
        """No provider answers in this dialect."""
        del call
        _no_provider()


def _fields(error: GatewayError) -> dict[str, str | None]:
    kind = "NOT_ENOUGH" if error.status == HTTPStatus.PAYMENT_REQUIRED else error.type
    return {"message": error.message, "type": kind, "param": error.param, "code": error.code}


def _no_provider() -> NoReturn:
    raise NotImplementedError(f"no provider speaks {DIALECT}")
