"""The client's half of a codec, for a dialect that only providers speak."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Generic, NoReturn

from gateway.types import Dialect
from gateway.wire.canonical import ChatRequest
from gateway.wire.codec import AnswerT, EventEncoder, RequestT


class ProviderOnly(Generic[RequestT, AnswerT]):
    """Base class of such codecs. No route reads their requests, so none of this is ever called."""

    dialect: Dialect
    names: Mapping[str, str] = MappingProxyType({})

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> RequestT:
        """No client asks in this dialect."""
        del body, model, stream
        self._no_client()

    def encode_answer(self, answer: AnswerT, request: RequestT) -> bytes:
        """No client is answered in this dialect."""
        del answer, request
        self._no_client()

    def encoder(self, request: ChatRequest) -> EventEncoder:
        """No client is answered in this dialect."""
        del request
        self._no_client()

    def _no_client(self) -> NoReturn:
        raise NotImplementedError(f"clients do not speak {self.dialect}")
