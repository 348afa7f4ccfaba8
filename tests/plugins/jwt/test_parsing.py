"""Whatever is sent as a token, it is taken apart or refused, and nothing else happens."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_jwt.claims import at, words
from gateway_jwt.token import Malformed, Token, parse

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
HEADER = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "x5t", "jwk", "zip"]), JSON | st.text(max_size=8)
)


def part(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def parts(*contents: object) -> bytes:
    return b".".join(part(one if isinstance(one, bytes) else json.dumps(one).encode()) for one in contents)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60)
    | st.builds(parts, st.binary(max_size=30), st.binary(max_size=30), st.binary(max_size=9))
    | st.builds(parts, HEADER | JSON, JSON, st.binary(max_size=9))
)
def test_a_text_is_a_token_or_malformed(text: bytes) -> None:
    try:
        token = parse(text)
    except Malformed:
        return
    assert isinstance(token, Token)
    assert text.count(b".") == 2
    header = json.loads(base64.urlsafe_b64decode(text.split(b".")[0] + b"=="))
    assert not {"crit", "jwk", "zip"} & header.keys()
    assert token.algorithm == header["alg"]


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=4), JSON), st.text(max_size=12))
def test_a_path_leads_somewhere_or_nowhere(claims: dict[str, Any], path: str) -> None:
    assert all(isinstance(word, str) for word in words(at(claims, path)))


@pytest.mark.parametrize(
    ("claims", "path", "found"),
    [
        ({"a": {"b": 1}}, "a.b", 1),
        ({"a.b": 2, "a": {"b": 1}}, "a.b", 2),
        ({"a": "text"}, "a.b", None),
        ({"a": [1]}, "a.0", None),
        ({}, "", None),
    ],
)
def test_paths(claims: dict[str, Any], path: str, found: object) -> None:
    assert at(claims, path) == found
