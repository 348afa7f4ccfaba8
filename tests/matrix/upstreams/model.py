"""The model behind every fake provider: what it answers to what it was asked, whatever the dialect.

Its answers prove that a request arrived whole: it measures pictures, names the results of its tool calls, fills schemas,
and says whether its own signed thoughts came back to it.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

TEXT = "Grüße ✓ One two three."
THOUGHTS = "The sky over each city has to be looked at."
SIGNATURE = "bm90LWEtcmVhbC1zaWduYXR1cmUtYnV0LWEtbG9uZy1vbmU="
BUSY = "The fake service is busy."
CITIES = ("Rome", "Oslo")
WORDS: Mapping[str, Any] = {"string": "Ada", "integer": 36, "number": 36, "boolean": True, "null": None}


class Refused(Exception):
    """The request is not one that the provider takes: it answers with this status."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class Tool(Struct):
    """A function that the model may call."""

    name: str
    schema: dict[str, Any]


class Asked(Struct, kw_only=True):
    """What a request asks for."""

    stream: bool
    text: str = ""
    """The last text of the user."""
    pictures: list[bytes] = field(default_factory=list[bytes])
    tools: list[Tool] = field(default_factory=list[Tool])
    must_call: bool = False
    results: list[tuple[str, Any, str]] = field(default_factory=list[tuple[str, Any, str]])
    """Name, arguments and result of the calls of the last turn, when the request ends with results."""
    schema: dict[str, Any] | None = None
    thinks: bool = False
    hides: bool = False
    """The thoughts are not to be shown."""
    remembers: bool = False
    """The model's signed thoughts came back."""


class Said(Struct):
    """What the model answers."""

    text: str = ""
    thoughts: str = ""
    calls: Sequence[tuple[str, Any]] = ()
    cut: bool = False
    """Half of a stream is sent, then the connection is closed."""


def at(value: Any, *names: str) -> Any:
    """Return what stands under these names, one in the other; an empty object where there is nothing."""
    for name in names:
        value = value.get(name) or {}
    return value


def need(condition: object, complaint: str) -> None:
    """Refuse the request unless the condition holds."""
    if not condition:
        raise Refused(complaint)


def answer(asked: Asked) -> Said:
    """Answer. Raises `Refused` when told to fail."""
    need(asked.text or asked.results, "nothing was asked")
    if "fail now" in asked.text:
        raise Refused(BUSY, 429)
    said = _answer(asked)
    if "break off" in asked.text:
        return Said(said.text, said.thoughts, said.calls, cut=True)
    return said


def _answer(asked: Asked) -> Said:
    thoughts = THOUGHTS if asked.thinks and not asked.hides else ""
    if asked.results and not asked.must_call:
        told = [
            f"{name}({_city(arguments)}) gave {result.strip()}." for name, arguments, result in asked.results
        ]
        return Said(text=" ".join([*told, *(["I remember."] if asked.thinks and asked.remembers else [])]))
    if asked.must_call:
        tool = asked.tools[-1]
        return Said(thoughts=thoughts, calls=[(tool.name, fill(tool.schema))])
    named = [city for city in CITIES if city in asked.text]
    if asked.tools and named:
        tool = asked.tools[0]
        return Said(
            thoughts=thoughts, calls=[(tool.name, {**fill(tool.schema), "city": city}) for city in named]
        )
    return Said(_words(asked), thoughts)


def _words(asked: Asked) -> str:
    if asked.pictures:
        return " ".join(map(measure, asked.pictures))
    return TEXT if asked.schema is None else json.dumps(fill(asked.schema))


def fill(schema: Mapping[str, Any], root: Mapping[str, Any] | None = None) -> Any:
    """Make the one value of a schema that this model knows."""
    root = root or schema
    if "$ref" in schema:
        target: Any = root
        for name in str(schema["$ref"]).removeprefix("#/").split("/"):
            target = target[name]
        return fill(target, root)
    if schema.get("enum"):
        return schema["enum"][0]
    kind: Any = schema.get("type") or ""
    kind = (kind if isinstance(kind, str) else kind[0]).lower()  # Gemini's own types are in capitals
    if kind == "object" or "properties" in schema:
        fields: Mapping[str, Any] = schema.get("properties", {})
        return {name: fill(one, root) for name, one in fields.items()}
    if kind == "array":
        return [fill(schema["items"], root)]
    return WORDS.get(kind, WORDS["string"])


def measure(picture: bytes) -> str:
    """Tell the size of a PNG."""
    need(picture.startswith(b"\x89PNG\r\n\x1a\n"), "the picture is no PNG")
    width, height = struct.unpack(">II", picture[16:24])
    return f"A picture of {width} by {height} pixels."


def decode(data: Any, *, for_urls: bool = False) -> bytes:
    """Read base64, also that for URLs if that will do. Refuses what is none."""
    try:
        return base64.b64decode(data.translate({0x2D: 0x2B, 0x5F: 0x2F}) if for_urls else data, validate=True)
    except (ValueError, TypeError):
        raise Refused(f"this is not base64: {data!r:.60}") from None


def _city(arguments: Any) -> str:
    return str(arguments.get("city")) if isinstance(arguments, dict) else repr(arguments)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
