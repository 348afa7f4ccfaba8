"""Providers' own paths: whatever path, method, headers and body come, it is an answer or a refusal, and metered or not sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given
from hypothesis import strategies as st

from gateway.testing.fakes import plugin_with
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Call, Outcome

from .amount import amount
from .mutations import mutated_bytes
from .samples import BODIES, BOUNDARY, request
from .served import Asked, Got, Served, serving
from .words import LEAKS

PROVIDERS = ("openai", "azure", "anthropic", "gemini", "cohere", "ollama")
KEY = "sk-not-a-real-key-0000000000"
CALLS = {
    "openai": ("/v1/chat/completions", "/v1/embeddings", "/v1/responses", "/v1/images/generations"),
    "azure": ("/openai/deployments/m/chat/completions", "/openai/v1/embeddings"),
    "anthropic": ("/v1/messages", "/v1/messages/count_tokens"),
    "gemini": ("/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent"),
    "cohere": ("/v2/rerank", "/v1/rerank", "/v2/chat", "/v2/embed"),
    "ollama": ("/api/chat", "/v1/chat/completions"),
}
DECLARED = "/things/*"
KEYS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
SAFE = re.compile(r"/(?!/)(?:(?!/\.{1,2}(?:/|$))[\x21-\x7e])*")
"""A path that every server reads alike."""
SEGMENTS = st.sampled_from(
    [
        *(
            "v1",
            "v2",
            "v1beta",
            "models",
            "chat",
            "completions",
            "messages",
            "rerank",
            "things",
            "a",
            "m:embedContent",
        ),
        *(
            "..",
            ".",
            "",
            "%2e%2e",
            "%2f",
            "%00",
            "%",
            "%zz",
            "%25",
            "%c3%28",
            "\\",
            ";x=1",
            "a b",
            "é",
            "🦊",
            "\x7f",
        ),
        *(
            "user:pw@evil.example",
            "http:",
            "*",
            "~",
            "a" * 5000,
            "%0d%0ahost:%20x",
            "[::1]",
            "'",
            '"',
            "{id}",
        ),
    ]
)
METHODS = st.one_of(
    st.just("POST"),
    st.just("POST"),
    st.sampled_from(["POST", "GET"]),
    st.sampled_from(["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "get", "FOO"]),
)
QUERIES = st.one_of(
    st.just(b""),
    st.sampled_from(
        [b"alt=sse", b"key=gw_x", b"a=%zz", b"a b", b"#", b"\xff", b"a=\r\nhost: x", b"&&==", b"%00"]
    ),
    st.binary(max_size=20),
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *(
                "content-type",
                "content-encoding",
                "transfer-encoding",
                "upgrade",
                "connection",
                "host",
                "range",
            ),
            *(
                "authorization",
                "x-api-key",
                "x-goog-api-key",
                "anthropic-version",
                "anthropic-beta",
                "openai-beta",
            ),
            *("idempotency-key", "x-request-id", "x-client-request-id", "expect", "cookie", "accept", "te"),
        ]
    ),
    st.one_of(
        st.sampled_from(
            [
                *(
                    "application/json",
                    "text/plain; charset=utf-16",
                    "multipart/form-data",
                    "gzip",
                    "chunked",
                    "websocket",
                ),
                *("Bearer gw_x", "Basic :", "", " ", ",", "bytes=0-", "100-continue", "a" * 9000),
                f"multipart/form-data; boundary={BOUNDARY}",
            ]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=12),
    ),
    max_size=3,
)


class Watch:
    """Counts the calls that were made at a provider."""

    def __init__(self) -> None:
        self.made = 0

    def finished(self, call: Call, outcome: Outcome) -> None:
        del call
        self.made += outcome.attempts


@pytest.fixture(scope="module")
def room() -> Iterator[tuple[Served, FakeUpstream, Watch]]:
    watch, upstream = Watch(), FakeUpstream()
    plugin = plugin_with("middleware.watch", register_interceptors=[watch])
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(upstream):
        answer = {"id": "x", "object": "thing", "usage": {"input_tokens": 1, "output_tokens": 1}}
        kind = {"content-type": "application/json", "set-cookie": "a=b"}
        upstream.reply(Reply(headers=kind, parts=[json.dumps(answer).encode()]))
        settings = {"base_url": upstream.url, "passthrough": [DECLARED]}
        with_key = {**settings, "api_key": KEY}
        config: dict[str, Any] = {
            "provider": {name: settings if name == "ollama" else with_key for name in PROVIDERS},
            "middleware": {"watch": {}},
        }
        with serving(config, plugins=[plugin]) as served:
            yield served, upstream, watch


@st.composite
def paths(draw: st.DrawFn) -> str:
    """Make a path: one that makes a call, one that is declared, or anything below a provider, perhaps changed a little."""
    name = draw(st.sampled_from([*PROVIDERS * 4, "mock", "nobody", "", "..", "%2e"]))
    segments = draw(st.lists(SEGMENTS, max_size=4))
    free = "/".join(["", *segments])
    kind = draw(st.sampled_from(["call", "call", "call", "declared", "declared", "free", "both"]))
    known = draw(st.sampled_from(CALLS.get(name, ("/v1/x",))))
    below = {"call": known, "declared": f"/things{free}", "free": free, "both": known + free}[kind]
    return f"/provider/{name}{below}"


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    """Make a request."""
    body = draw(
        st.sampled_from(
            [
                b"",
                b"{}",
                b"null",
                b"[",
                b"\xff\xfe",
                b'{"model":3}',
                b'{"model":"m"}',
                b"x" * 70_000,
                b"[" * 5000,
                b'{"a":' * 3000,
            ]
        )
    )
    if draw(st.booleans()):
        sample = draw(st.sampled_from(sorted(BODIES)))
        body = draw(mutated_bytes(request(sample, "m", stream=draw(st.booleans()))[1]))
    return Asked(
        method=draw(METHODS), path=draw(paths()), query=draw(QUERIES), headers=draw(HEADERS), body=body
    )


def check(got: Got) -> None:
    """What holds of every answer, whosever words it has."""
    assert got.status, "no answer"
    assert got.status <= 502, (got.status, got.body)
    assert got.status != 500, got.body
    assert got.ended
    assert KEY.encode() not in got.body
    assert not got.all("set-cookie")
    if got.status >= 400:
        told: Any = json.loads(got.body)
        error: Any = told.get("error", told)
        message: Any = error if isinstance(error, str) else error["message"]
        assert message, got
        assert not LEAKS.search(str(message).encode()), message


@amount(600)
@given(asked=asked())
def test_whatever_is_asked_below_a_provider(room: tuple[Served, FakeUpstream, Watch], asked: Asked) -> None:
    served, upstream, watch = room
    sent, made = len(upstream.requests), watch.made
    got = served.ask(asked)
    check(got)
    reached = upstream.requests[sent:]
    assert len(reached) == watch.made - made, "what reaches a provider is a call, and nothing else does"
    for one in reached:
        assert SAFE.fullmatch(one.path.partition("?")[0]), one.path
        assert "cookie" not in one.headers
        assert "gw_x" not in "".join(one.headers.get(name, "") for name in KEYS)
    assert not [line for line in served.log.lines if "Traceback" in line or "internal error" in line]
