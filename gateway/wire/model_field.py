"""The model's name in a request that is JSON or a form."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from gateway.types import Call
from gateway.wire import multipart

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def with_model(call: Call, model: str) -> bytes:
    """Return the body with this model; the client's own bytes where it names that one already."""
    if multipart.is_form(call.content_type):
        form = multipart.parse(call.body, call.content_type)
        return call.body if form.text("model") == model else form.with_text("model", model)
    fields = _decode_fields(call.body)
    name = Raw(msgspec.json.encode(model))
    if fields.get("model") == name:
        return call.body
    fields["model"] = name
    return msgspec.json.encode(fields)


def name_model(body: bytes, model: str) -> bytes:
    """Return a JSON body with this model, whichever it names."""
    return msgspec.json.encode(_decode_fields(body) | {"model": Raw(msgspec.json.encode(model))})
