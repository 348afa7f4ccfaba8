"""References to items of stored responses, which some SDKs send instead of the items.

https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.api.responses.items import portable
from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway.store.responses import get_answers
from gateway.wire.body import UNREADABLE
from gateway.wire.openai_responses import response_of

_SIGN: Final = b'"item_reference"'
_NOTHING: Final = Raw(b"")
_AT_ONCE: Final = 100


class _Reference(Struct, tag_field="type", tag="item_reference"):
    id: str


class _Output(Struct):
    output: Sequence[dict[str, Any]] = ()


_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_decode_reference = msgspec.json.Decoder(_Reference).decode
_decode_output = msgspec.json.Decoder(_Output).decode
_encode = msgspec.json.encode


async def with_items(body: bytes, database: Database, tenant: str, *, max_body: int) -> bytes:
    """Put the items that the gateway has made and stored in the place of references to them.

    Others are left for the provider to look up. Raises `InvalidRequest` when that makes the body too large, `Unavailable`.
    """
    if _SIGN not in body:
        return body
    try:
        fields = _decode_fields(body)
        items = _decode_items(fields.get("input", b""))
    except UNREADABLE:
        return body  # what is wrong with it is said where it is read
    named = [_named(item) for item in items]
    known = await _items(database, tenant, {name for name in named if name}, most=max_body)
    placed = [known.get(name, item) if name else item for item, name in zip(items, named, strict=True)]
    if sum(map(len, placed)) > max(max_body, len(body)):
        raise _too_large(max_body)
    fields["input"] = Raw(_encode([item for item in placed if item is not _NOTHING]))
    return _encode(fields)


def _named(item: Raw) -> str | None:
    """Return the id that an item refers to; None when it is no reference."""
    if _SIGN not in bytes(item):
        return None
    try:
        return _decode_reference(item).id
    except UNREADABLE:
        return None


async def _items(database: Database, tenant: str, names: Collection[str], *, most: int) -> Mapping[str, Raw]:
    """Return stored items by their ids; nothing stands for a thought that only its provider could look up."""
    ids = sorted({made for name in names if (made := response_of(name))})
    known: dict[str, Raw] = {}
    size = 0
    for start in range(0, len(ids), _AT_ONCE):
        for answer in await get_answers(database, tenant, ids[start : start + _AT_ONCE]):
            for item in _decode_output(answer).output:
                if item.get("id") in names:
                    plain = portable(item)
                    known[item["id"]] = found = _NOTHING if plain is None else Raw(_encode(plain))
                    size += len(found)
        if size > most:
            raise _too_large(most)
    return known


def _too_large(most: int) -> InvalidRequest:
    return InvalidRequest(
        f"With the items that it refers to, the request is larger than the {most} bytes allowed.",
        status=413,
        param="input",
        code="request_too_large",
    )
