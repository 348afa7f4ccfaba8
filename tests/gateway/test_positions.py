"""Where keys stand in a TOML text."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from textwrap import dedent
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.positions import Key, positions


def keys_in(data: Any, path: Key = ()) -> Iterator[Key]:
    """Every key and index of parsed TOML."""
    items = (
        cast("dict[str, Any]", data).items() if isinstance(data, dict) else enumerate(cast("list[Any]", data))
    )
    for part, value in items:
        yield (*path, part)
        if isinstance(value, dict | list):
            yield from keys_in(value, (*path, part))


EVERYTHING = dedent('''\
    # a comment [not.a.table]
    first = 1
    [gateway]
    text = """
    [provider.not_me]
    quotes: "" and \\"""
    """
    raw = \'\'\'
    key = 1\'\'\'
    dotted."quoted key".'literal' = 2020-01-01 10:00:00
    [provider.openai] # behind a table
    api_key = { env = "X", more = { deep = [1] } }
    keys = [ # one
      {env="A"},
      "b", # ] not the end
      [1, 2,
       3],
    ]
    [[list.of]]
    z = 1
    [[list.of]]
    z = 2
    [list.of.inside]
    [["list".'of'.more]]
    ''')


def test_every_kind_of_key_has_its_line() -> None:
    found = positions(EVERYTHING)
    assert set(keys_in(tomllib.loads(EVERYTHING))) == set(found)
    expected: dict[Key, int] = {
        ("first",): 2,
        ("gateway",): 3,
        ("gateway", "raw"): 8,
        ("gateway", "dotted", "quoted key", "literal"): 10,
        ("provider", "openai", "api_key", "more", "deep"): 12,
        ("provider", "openai", "keys", 0, "env"): 14,
        ("provider", "openai", "keys", 2, 2): 17,
        ("list", "of", 0, "z"): 20,
        ("list", "of", 1, "z"): 22,
        ("list", "of", 1, "inside"): 23,
        ("list", "of", 1, "more", 0): 24,
    }
    assert {key: found[key] for key in expected} == expected


def test_lines_count_alike_with_windows_line_ends() -> None:
    assert positions(EVERYTHING.replace("\n", "\r\n")) == positions(EVERYTHING)


def test_the_order_is_that_of_the_text() -> None:
    assert list(positions("[b.x]\n[a.y]\n[b.c]")) == [("b",), ("b", "x"), ("a",), ("a", "y"), ("b", "c")]


def test_a_text_that_is_not_toml_is_refused() -> None:
    with pytest.raises(ValueError, match="no key or value on line 2"):
        positions("a = 1\n= 2")


names = st.sampled_from(["a", "b-1", '"c d"', "'e.f'", '"g\\"h"', "3"])
scalars = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "true",
        "inf",
        "2020-01-01",
        "07:30:00",
        '"x # y"',
        "'z]'",
        '"""a\n"b" ]"""',
        "'''c\n\n'''",
    ]
)
spaces = st.sampled_from(["", " ", "\n", " # note [x]\n", "\n\n  "])


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    items = [draw(spaces) + item + draw(spaces) for item in draw(st.lists(values, max_size=3))]
    return "[" + ",".join(items) + draw(st.sampled_from(["", ","]) if items else spaces) + "]"


def inline_tables(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one_line = st.dictionaries(names, values.filter(lambda value: "\n" not in value), max_size=3)
    return one_line.map(
        lambda table: "{ " + ", ".join(f"{key} = {value}" for key, value in table.items()) + " }"
    )


values = st.recursive(scalars, lambda inner: arrays(inner) | inline_tables(inner), max_leaves=6)
tables = st.dictionaries(names, values, max_size=4)


@given(st.dictionaries(st.tuples(names, names), tables, max_size=4))
def test_the_keys_found_are_the_keys_parsed(content: dict[tuple[str, str], dict[str, str]]) -> None:
    lines: list[str] = []
    for (outer, inner), table in content.items():
        lines.append(f"[ {outer} . {inner} ]  # table")
        lines += [f"{key} = {value}" for key, value in table.items()]
    text = "\n".join(lines)
    assert set(keys_in(tomllib.loads(text))) == set(positions(text))
