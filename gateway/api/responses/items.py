"""Items as they are stored, listed, and put to a provider again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import msgspec

from gateway.store.responses import StoredResponse

_PREFIXES: Final = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
}
_WITHOUT_STATUS: Final = frozenset(
    {"reasoning", "custom_tool_call", "custom_tool_call_output", "item_reference"}
)


def stored_items(given: Any) -> list[dict[str, Any]]:
    """Make of a request's `input` the items to be stored: each with a type, an id, and its content in parts."""
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    found = cast("list[Any]", given) if isinstance(given, list) else []
    return [_stored(cast("dict[str, Any]", item)) for item in found if isinstance(item, dict)]


def _stored(item: dict[str, Any]) -> dict[str, Any]:
    kind = item.get("type") or ("message" if "role" in item else "item_reference")
    name = str(kind)  # whatever it is, the provider is to judge it
    prefix = _PREFIXES.get(name, "item")
    stored = {**item, "type": kind, "id": item.get("id") or f"{prefix}_{os.urandom(20).hex()}"}
    if name not in _WITHOUT_STATUS:
        stored.setdefault("status", "completed")
    if kind == "message":
        stored["content"] = _parts(item.get("content"), answers=item.get("role") == "assistant")
    return stored


def _parts(content: Any, *, answers: bool) -> Any:
    if isinstance(content, str):
        said = {"type": "output_text" if answers else "input_text", "text": content}
        return [{**said, "annotations": []} if answers else said]
    if not isinstance(content, list):
        return content
    parts = cast("list[Any]", content)
    return [{"detail": "auto", **cast("dict[str, Any]", part)} if _is_image(part) else part for part in parts]


def _is_image(part: Any) -> bool:
    return isinstance(part, dict) and cast("dict[str, Any]", part).get("type") == "input_image"


def history(chain: Sequence[StoredResponse]) -> list[dict[str, Any]]:
    """Make the items that stand for earlier responses, in a form that every provider can read.

    What only the provider that made them could look up is left out: ids, and thoughts without their encrypted form.
    """
    return [
        plain
        for response in chain
        for item in [*_read(response.input), *_output(response)]
        if (plain := portable(item)) is not None
    ]


def listed(chain: Sequence[StoredResponse]) -> list[dict[str, Any]]:
    """List everything that the last response of a chain was made from, oldest first."""
    *before, last = chain
    earlier = [item for response in before for item in [*_read(response.input), *_output(response)]]
    return [*earlier, *_read(last.input)]


def portable(item: dict[str, Any]) -> dict[str, Any] | None:
    """Return an item as every provider can read it; None for a thought that only its provider could look up."""
    kind = item.get("type")
    if kind == "reasoning":
        return _without(item, "status") if item.get("encrypted_content") else None
    if kind not in _PREFIXES:
        return item
    plain = _without(item, "id", "status")
    if kind == "message" and item.get("role") == "assistant":
        content = cast("list[dict[str, Any]]", item.get("content") or [])
        plain["content"] = [_without(part, "logprobs") for part in content]
    return plain


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _read(data: bytes) -> list[dict[str, Any]]:
    return msgspec.json.decode(data, type=list[dict[str, Any]])


def _output(response: StoredResponse) -> Iterator[dict[str, Any]]:
    found = msgspec.json.decode(response.response, type=dict[str, Any]).get("output")
    yield from cast("list[dict[str, Any]]", found or [])
