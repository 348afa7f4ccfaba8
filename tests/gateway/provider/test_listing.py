from __future__ import annotations

import msgspec
import pytest

from gateway.provider.listing import names


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"object": "list", "data": [{"id": "gpt-x", "created": 1}, {"id": "org/y"}]}', ["gpt-x", "org/y"]),
        (
            b'{"data": [{"type": "model", "id": "claude-x", "display_name": "X"}], "has_more": false}',
            ["claude-x"],
        ),
        (
            b'{"models": [{"name": "models/gemini-x", "displayName": "X"}], "nextPageToken": "z"}',
            ["gemini-x"],
        ),
        (b'{"models": [{"name": "command-x", "endpoints": ["chat"]}]}', ["command-x"]),
        (b' [{"id": "meta/llama", "type": "chat"}]', ["meta/llama"]),
        (b'{"data": []}', []),
        (b'{"data": [{"object": "model"}]}', []),
    ],
)
def test_every_service_names_its_models_in_its_own_way(body: bytes, expected: list[str]):
    assert names(body) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": 3}', b"3", b"{}", b'["a"]', b'{"data": ["a"]}'])
def test_something_else_is_no_list(body: bytes):
    with pytest.raises(msgspec.DecodeError):
        names(body)
