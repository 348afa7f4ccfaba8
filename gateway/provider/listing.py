"""Reads the lists in which services name their models: OpenAI's, Anthropic's, Google's, Cohere's, Ollama's."""

from __future__ import annotations

import msgspec
from msgspec import Struct


class _Entry(Struct):
    id: str = ""
    name: str = ""


class _List(Struct):
    data: list[_Entry] | None = None
    models: list[_Entry] | None = None


_decode_list = msgspec.json.Decoder(_List).decode
_decode_bare = msgspec.json.Decoder(list[_Entry]).decode


def names(body: bytes) -> list[str]:
    """Return the names of the models in a list. Raises `msgspec.DecodeError` when it is none."""
    if body.lstrip().startswith(b"["):  # as Together does
        entries = _decode_bare(body)
    else:
        found = _decode_list(body)
        if found.data is None and found.models is None:
            raise msgspec.DecodeError("neither data nor models")
        entries = [*(found.data or ()), *(found.models or ())]
    listed = (entry.id or entry.name.removeprefix("models/") for entry in entries)
    return [name for name in listed if name]
