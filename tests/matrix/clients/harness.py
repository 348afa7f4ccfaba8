"""What every client of the matrix shares: the questions, the answers to expect, and the lines that tell how it went.

Runs in the client's own environment, so it needs nothing but the standard library.
"""

from __future__ import annotations

import base64
import json
import re
import struct
import sys
import traceback
import zlib
from collections.abc import Callable, Mapping
from typing import Any

Cell = Callable[[str], object]
"""Tries one feature with one model. Raises when it does not work."""

TEXT = "Grüße ✓ One two three."
BUSY = "The fake service is busy."
THOUGHTS = "The sky over each city has to be looked at."
HELLO = "Say something."
FAIL = "Please fail now."
BREAK_OFF = "Please break off in the middle."
ROME = "What is the weather in Rome?"
BOTH = "What is the weather in Rome and in Oslo?"
LOOK = "What is in this picture?"
WHO = "Who invented the program?"
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
ADA = {"name": "Ada", "age": 36}
REMEMBERS = "I remember."


class Absent(Exception):
    """The client has no such feature, or no way to use it here."""


class NotRemembered(Exception):
    """All is right, but the model's signed thoughts did not come back to it."""


def absent(why: str) -> Cell:
    """Make the cell of a feature that the client does not have."""

    def cell(_model: str) -> None:
        raise Absent(why)

    return cell


def url() -> str:
    """Where the gateway is."""
    return sys.argv[1]


def key() -> str:
    """The API key."""
    return sys.argv[2]


def picture() -> bytes:
    """Make a PNG, three pixels wide and two high."""
    rows = b"".join(
        b"\0" + bytes((x * 80, y * 120, 200)[i] for x in range(3) for i in range(3)) for y in range(2)
    )
    head = struct.pack(">IIBBBBB", 3, 2, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def picture64() -> str:
    """Give that picture in base64."""
    return base64.b64encode(picture()).decode()


def weather(city: str) -> str:
    """Tell the weather in a city."""
    return {"Oslo": "Snow"}.get(city, "Sun")


def is_mock(model: str) -> bool:
    """Tell whether this is the mock, which sees, knows and remembers nothing: it repeats the question."""
    return model.startswith("mock/")


def same(got: object, expected: object) -> None:
    """Fail unless both are equal."""
    if got != expected:
        raise AssertionError(f"got {got!r} instead of {expected!r}")


def told(model: str, text: str | None, *cities: str, remembers: bool = False) -> None:
    """Fail unless the answer holds what the tools said of the cities.

    Raises `NotRemembered` when only this is missing: that the model got its own thoughts back, as it must with `remembers`.
    """
    if is_mock(model):
        same(text, ROME if len(cities) == 1 else BOTH)
        return
    right = " ".join(f"weather({city}) gave {weather(city)}." for city in cities)
    if remembers and text == right:
        raise NotRemembered
    same(text, f"{right} {REMEMBERS}" if remembers else right)


def pictured(model: str, text: object) -> None:
    """Fail unless the model saw the picture."""
    if (LOOK if is_mock(model) else "A picture of 3 by 2 pixels.") not in str(text):
        raise AssertionError(f"the picture was not seen: {text!r}")


def person(model: str, got: Any) -> None:
    """Fail unless this is the person asked for, as an object or as JSON."""
    fields = json.loads(got) if isinstance(got, str) else got
    if is_mock(model) and isinstance(fields, dict):
        fields = {
            **fields,
            **{name: ADA[name] for name in fields if type(fields[name]) is type(ADA.get(name))},
        }
    same(fields, ADA)


def broken(error: BaseException) -> None:
    """Fail unless the client was told that the answer was cut."""
    said = f"{error!r} {error}"
    if not re.search("closed the connection|broke off|cut", said, re.IGNORECASE):
        raise AssertionError(f"another error than that of a cut stream: {said}") from error


def refuses(call: Callable[[], object], *kinds: type[BaseException], words: str = "") -> BaseException:
    """Call what must raise, and give the error back."""
    try:
        got = call()
    except kinds as error:
        if words and words not in f"{error!r} {error}":
            raise AssertionError(f"the error does not say {words!r}: {error!r}") from error
        return error
    raise AssertionError(f"no error was raised, but {got!r:.200} was given")


def main(cells: Mapping[str, Cell]) -> None:
    """Try every feature with every model named on the command line; print a line of JSON for each."""
    for model in sys.argv[3:]:
        for feature, cell in cells.items():
            line: dict[str, Any] = {"model": model, "feature": feature, "outcome": "pass", "detail": ""}
            try:
                cell(model)
            except Absent as error:
                line |= {"outcome": "absent", "detail": str(error)}
            except NotRemembered:
                line |= {"outcome": "error", "detail": "the thoughts were not remembered"}
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                detail = f"{type(error).__name__}: {error}"
                line |= {"outcome": "error", "detail": detail[:2000], "trace": traceback.format_exc()[-3000:]}
            print(json.dumps(line), flush=True)
