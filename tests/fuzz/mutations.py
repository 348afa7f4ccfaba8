"""Good requests made bad: values of other types, missing and unknown fields, bytes that are no JSON."""

from __future__ import annotations

import copy
import json
from typing import Any, cast

from hypothesis import strategies as st

WORST: list[Any] = [
    *(0, -1, 1.5, 1e308, "", "\x00", "null", "\ud800", "ÿ" * 300, [], {}, [[]], [None], {"": None}),
    *({"type": "text"}, {"type": None}, {"role": "user"}, {"type": "x"}, "data:,", "data:;base64"),
]
JUNK: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.sampled_from(WORST), st.text(max_size=8)
)
"""What may stand in the place of anything."""


def places(value: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """List the path of every value inside a value."""
    inner: list[tuple[str | int, ...]] = []
    if isinstance(value, dict):
        for key, each in cast("dict[str, Any]", value).items():
            inner += [(*here, key), *places(each, (*here, key))]
    elif isinstance(value, list):
        for index, each in enumerate(cast("list[Any]", value)):
            inner += [(*here, index), *places(each, (*here, index))]
    return inner


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """Change a value in one to three places."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        found = places(value)
        if not found:
            return value
        path = draw(st.sampled_from(found))
        holder: Any = value
        for key in path[:-1]:
            holder = holder[key]
        last: Any = path[-1]
        match draw(st.sampled_from(["replace", "replace", "delete", "wrap", "twice", "add", "swap"])):
            case "replace":
                holder[last] = copy.deepcopy(draw(JUNK))
            case "delete":
                del holder[last]
            case "wrap":
                holder[last] = [holder[last]]
            case "twice" if isinstance(holder, list):
                items = cast("list[Any]", holder)
                items.append(copy.deepcopy(items[last]))
            case "add" if isinstance(holder, dict):
                fields = cast("dict[str, Any]", holder)
                fields[draw(st.sampled_from(["name", "type", "id", "content", "n", "x"]))] = copy.deepcopy(
                    draw(JUNK)
                )
            case _:
                other = draw(st.sampled_from(found))
                replacement: Any = value
                for key in other:
                    try:
                        replacement = replacement[key]
                    except (KeyError, IndexError, TypeError):
                        break
                holder[last] = copy.deepcopy(replacement)
    return value


@st.composite
def mutated_bytes(draw: st.DrawFn, body: bytes) -> bytes:
    """Change a JSON document: as a value, or as bytes."""
    how = draw(st.sampled_from(["value", "value", "value", "value", "cut", "flip", "insert", "other"]))
    if how == "value":
        changed = draw(mutated(json.loads(body)))
        return json.dumps(changed).encode("utf-8", "surrogatepass")
    place = draw(st.integers(0, len(body) - 1))
    if how == "cut":
        return body[:place]
    if how == "flip":
        return body[:place] + bytes([draw(st.integers(0, 255))]) + body[place + 1 :]
    if how == "insert":
        return body[:place] + draw(st.binary(min_size=1, max_size=4)) + body[place:]
    return draw(
        st.binary(max_size=60)
        | st.sampled_from(
            [b"[" * 5000, b'{"a":' * 5000, b"{}", b"[]", b"null", b'""', b"1e999", b"\xef\xbb\xbf{}"]
        )
    )
