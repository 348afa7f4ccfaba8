"""A provider that repeats the gateway's secret in whatever it says wrong: no client, no log line and no row ever shows it."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from gateway.testing.upstream import FakeUpstream, Reply
from gateway.wire.aws_event_stream import frame

from .samples import request
from .served import Asked, Served, serving

CANARY = "canary-0123456789-of-"
JSON = {"content-type": "application/json"}
SECRETS: Mapping[str, Sequence[str]] = {
    "anthropic": ["api_key"],
    "azure": ["api_key"],
    "bedrock": ["access_key_id", "secret_access_key", "session_token"],
    "cohere": ["api_key"],
    "gemini": ["api_key"],
    "ollama": ["api_key"],
    "openai": ["api_key"],
}
BELOW = {"openai": "/v1", "gemini": "/v1beta"}
MORE: Mapping[str, Mapping[str, str]] = {"bedrock": {"region": "us-east-1"}}
PATHS = ("/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/MODEL:generateContent")


def config(url: str) -> dict[str, Any]:
    return {
        name: {
            "base_url": url + BELOW.get(name, ""),
            **MORE.get(name, {}),
            **{field: f"{CANARY}{name}-{field}" for field in fields},
        }
        for name, fields in SECRETS.items()
    }


def replies(provider: str) -> Iterator[Reply]:
    """Make every kind of failure, with the provider's secrets in every place of it."""
    said = "No: " + " ".join(f"{CANARY}{provider}-{field}." for field in SECRETS[provider])
    headers = {**JSON, "retry-after": said, "x-request-id": said, "x-ratelimit-remaining-requests": said}
    errors: list[Any] = [
        {
            "error": {
                "message": said,
                "type": said,
                "code": said,
                "param": said,
                "status": said,
                "innererror": {"a": said},
            }
        },
        [{"error": {"code": 429, "message": said, "status": said, "details": [{"reason": said}]}}],
        {"type": "error", "error": {"type": said, "message": said}, "request_id": said},
        {"message": said, "id": said},
        {"error": said},
    ]
    for status in (400, 401, 403, 404, 429, 500, 503):
        for error in errors:
            yield Reply(status=status, headers=headers, parts=[json.dumps(error).encode()])
    yield Reply(status=500, headers={"content-type": "text/html"}, parts=[f"<h1>{said}</h1>".encode()])
    yield Reply(status=302, headers={**headers, "location": f"http://127.0.0.1/{said}"})
    yield Reply(headers=headers, parts=[f'{{"a": "{said}'.encode()])
    yield Reply(headers=headers, parts=[said.encode()], ending="cut")
    for error in (
        error for error in errors if "error" in str(error)[:20]
    ):  # the rest, with 200, is an answer
        data = json.dumps(error).encode()
        yield Reply(
            headers={"content-type": "text/event-stream"}, parts=[b"event: error\ndata: " + data + b"\n\n"]
        )
        yield Reply(headers={"content-type": "application/x-ndjson"}, parts=[data + b"\n"])
    broken = {
        ":exception-type": "throttlingException",
        ":message-type": "exception",
        ":content-type": "application/json",
    }
    yield Reply(
        headers={"content-type": "application/vnd.amazon.eventstream"},
        parts=[frame(broken, json.dumps({"message": said}).encode())],
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canary") / "gateway.db"


@pytest.fixture(scope="module")
def upstream() -> FakeUpstream:
    return FakeUpstream()


@pytest.fixture(scope="module")
def served(database: Path, upstream: FakeUpstream) -> Iterator[Served]:
    """A gateway whose providers are all the same fake one."""
    level = logging.getLogger("gateway").level
    logging.getLogger("gateway").setLevel(logging.DEBUG)
    core = {"database": f"sqlite:///{database}"}
    with (
        start_blocking_portal() as outer,
        outer.wrap_async_context_manager(upstream),
        serving({"gateway": core, "provider": config(upstream.url)}) as served,
    ):
        yield served
    logging.getLogger("gateway").setLevel(level)


@pytest.mark.parametrize("provider", SECRETS)
def test_no_client_no_log_line_and_no_row_gets_a_secret(
    served: Served, upstream: FakeUpstream, database: Path, provider: str
) -> None:
    asked = 0
    for reply in replies(provider):
        upstream._replies.clear()
        upstream.reply(reply)
        for path in PATHS:
            where, body = request(path, f"{provider}/a-model", stream=asked % 2 == 1)
            got = served.ask(Asked(path=where, headers=JSON, body=body))
            asked += 1
            shown = got.body + repr(got.headers).encode()
            assert CANARY.encode() not in shown, (reply, path, shown)
            assert got.status != 500 or b"internal_error" not in got.body
    assert upstream.requests, "the provider was asked"
    assert not [line for line in served.log.lines if CANARY in line]
    with closing(sqlite3.connect(database)) as connection:
        rows = list(connection.iterdump())
    assert any("INSERT INTO" in row and "model_calls" in row for row in rows)
    assert not [row for row in rows if CANARY in row]
