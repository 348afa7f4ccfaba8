"""What a request asks of the gateway itself: to continue, to be stored, to run in the background."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.api.responses.items import history, stored_items
from gateway.errors import InvalidRequest
from gateway.ledger.rows import clean
from gateway.store.responses import StoredResponse
from gateway.types import Call
from gateway.wire.body import read_request

_NOTHING: Final = Raw(b"null")
_DAY: Final = 86_400


class Asked(Struct):
    """The fields that are the gateway's to carry out."""

    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    input: Raw = _NOTHING

    @property
    def stores(self) -> bool:
        """Whether the response is to be stored: unless the client says no."""
        return self.store is not False

    @property
    def in_background(self) -> bool:
        """Whether it is to be answered before it is carried out."""
        return bool(self.background)

    def items(self) -> list[dict[str, Any]]:
        """Return the request's own items, as they are stored. Raises `InvalidRequest` when they cannot be read."""
        return stored_items(read_request(_decode_any, bytes(self.input)))


_decode = msgspec.json.Decoder(Asked).decode
_decode_any: Callable[[bytes], Any] = msgspec.json.decode
_decode_input = msgspec.json.Decoder(str | list[Raw]).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def read_asked(body: bytes) -> Asked:
    """Read them. Raises `InvalidRequest` naming the field at fault."""
    asked = read_request(_decode, body)
    if asked.in_background and not asked.stores:
        raise InvalidRequest(
            "A response in the background is fetched later, so it must be stored: leave 'store' out, or set it to true.",
            param="store",
            code="invalid_value",
        )
    return asked


def put_to_provider(body: bytes, asked: Asked, chain: Sequence[StoredResponse]) -> bytes:
    """Make the body that a provider can carry out by itself: with all that came before, and nothing of the gateway's.

    The client's own bytes where nothing needs to change. `store` stays: clients that hand thoughts back by their ids
    count on the provider for them.
    """
    if not chain and not asked.in_background:
        return body
    fields = _decode_fields(body)
    fields.pop("background", None)
    if chain:
        fields.pop("previous_response_id", None)
        fields["input"] = Raw(msgspec.json.encode([*history(chain), *_given(asked.input)]))
    return msgspec.json.encode(fields)


def _given(raw: Raw) -> Sequence[Any]:
    if bytes(raw) == b"null":
        return ()
    given = read_request(_decode_input, bytes(raw))
    return [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given


def new_row(call: Call, asked: Asked, *, days: float, response_id: str) -> StoredResponse:
    """Make the row of a response that has not been answered yet."""
    now = time.time()
    return StoredResponse(
        tenant=call.principal.tenant,
        id=response_id,
        key=call.principal.key,
        model=clean(call.model, 200) or "",
        status="queued",
        previous=asked.previous_response_id,
        call=call.id,
        created_at=now,
        expires_at=now + days * _DAY,
        background=asked.in_background,
        stream=call.stream,
        input=msgspec.json.encode(asked.items()),
        response=b"{}",
    )
