"""The provider's half of a codec, for a dialect whose providers get the client's own bytes."""

from __future__ import annotations

from typing import Generic, NoReturn

from gateway.errors import InvalidRequest
from gateway.types import Dialect
from gateway.wire.codec import AnswerT, Losses, RequestT


class ClientOnly(Generic[RequestT, AnswerT]):
    """Base class of such codecs. No client speaks another dialect of the form, so none of this is ever called."""

    dialect: Dialect

    def encode_request(self, request: RequestT, model: str, losses: Losses) -> bytes:
        """No provider is asked in this dialect but with the client's own bytes. Raises `InvalidRequest`."""
        del request, model, losses
        raise InvalidRequest(
            f"The provider of this model can be asked in the dialect {self.dialect} only.",
            param="model",
            code="unsupported_capability",
        )

    def decode_answer(self, body: bytes) -> AnswerT:
        """No provider's answer in this dialect is translated."""
        del body
        self._no_provider()

    def _no_provider(self) -> NoReturn:
        raise NotImplementedError(f"nothing is translated into {self.dialect}")
