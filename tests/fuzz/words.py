"""In whose words an error must come, and what may never be in an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from .served import Got

LEAKS = re.compile(
    rb"Traceback|internal_error|site-packages|\.py\b|msgspec|sqlalchemy|asyncio|object at 0x|NoneType"
)
"""Marks of the gateway's insides."""


def family(path: str, headers: Mapping[str, Any]) -> str:
    """Tell whose clients ask at a path; where all ask, headers tell."""
    if path.startswith("/v1/models") and ":" not in path:
        names = {name.lower() for name in headers}
        return (
            "gemini"
            if "x-goog-api-key" in names
            else "anthropic"
            if "anthropic-version" in names
            else "openai"
        )
    if path.startswith("/admin/api"):
        return "problem"
    if path.startswith("/v1/messages"):
        return "anthropic"
    if path.startswith(("/v1beta/", "/upload/", "/download/", "/v1/cachedContents")) or re.match(
        r"/v1/(models|files|batches)/.*:[A-Za-z]+$", path
    ):
        return "gemini"
    return "cohere" if path.endswith(("/rerank", "/embed")) else "openai"


def check_error(path: str, got: Got, headers: Mapping[str, Any]) -> None:
    """An error is JSON in the shape of its family, and says something."""
    error: Any = json.loads(got.body)
    whose = family(path, headers)
    if whose == "problem":  # RFC 9457
        assert got.all("content-type") == ["application/problem+json"], got
        assert error.keys() >= {"type", "title", "status", "detail", "instance", "code"}
        assert error["status"] == got.status
        assert not LEAKS.search(got.body), got
        return
    assert got.all("content-type") == ["application/json"], got
    if whose == "cohere":
        assert set(error) == {"message"}
        assert error["message"]
        return
    if whose == "anthropic":
        assert error["type"] == "error"
        assert set(error) == {"type", "error", "request_id"}
        assert error["error"].keys() == {"type", "message"}
        assert error["request_id"] in got.all("x-request-id")
        assert got.all("request-id") == got.all("x-request-id")
    elif whose == "gemini":
        assert set(error) == {"error"}
        assert error["error"].keys() >= {"code", "message", "status"}
        assert error["error"]["code"] == got.status
    else:
        assert set(error) == {"error"}
        assert error["error"].keys() >= {"message", "type", "param", "code"}
    fields = cast("dict[str, Any]", error["error"])
    assert isinstance(fields["message"], str)
    assert fields["message"]
    assert not LEAKS.search(fields["message"].encode()), fields["message"]


def check(
    path: str, got: Got, *, highest: int = 499, headers: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """What holds of every answer, whatever was asked."""
    assert got.status, "no answer"
    assert got.status <= highest, (got.status, got.body)
    (request_id,) = got.all("x-request-id")
    assert re.fullmatch(r"req_[0-9a-zA-Z]+", request_id)
    assert b"internal_error" not in got.body
    assert b"Traceback" not in got.body
    if got.status >= 400:
        assert got.ended
        check_error(path, got, headers)
