"""Values that a database, a decoder or a counter might choke on: they harm at most the call that brings them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from .support.process import Deployment, until
from .support.raw import chat_body
from .support.tables import check_books
from .support.upstream import USAGE, Exchange, Handler, Upstream, completion

CONFIG = """
[gateway]
database = "{database}"
[provider.up]
use = "openai"
base_url = "{base_url}"
[provider.mock]
"""

MODELS = {
    "nul": "mock/a\0b",
    "long": "mock/" + "m" * 5_000,
    "surrogate": "mock/\ud800",
    "emoji": "mock/🙂",
    "newline": "mock/a\nb",
    "empty": "mock/",
    "quote": "mock/a';DROP TABLE model_calls;--",
    "colon": "mock:echo",
    "spaces": " mock/echo ",
    "percent": "mock/%s%n{0}",
}

USAGES: dict[str, Any] = {
    "huge": {"prompt_tokens": 2**40, "completion_tokens": 1},
    "beyond 64 bits": {"prompt_tokens": 10**30, "completion_tokens": 10**30},
    "negative": {"prompt_tokens": -5, "completion_tokens": -7},
    "fractions": {"prompt_tokens": 1.5, "completion_tokens": 2},
    "text": {"prompt_tokens": "many", "completion_tokens": None},
    "list": [1, 2],
    "null": None,
    "partial": {"prompt_tokens": 3},
    "odd details": {
        "prompt_tokens": 3,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 10**25},
    },
}

FAULTS: dict[str, dict[str, Any]] = {
    "long code": {"message": "m", "code": "c" * 500, "type": "t" * 500},
    "long message": {"message": "m" * 60_000, "code": "c"},
    "nul": {"message": "a\0b", "code": "c\0d", "type": "e\0f"},
    "surrogate": {"message": "a\ud800b", "code": "c"},
    "header injection": {"message": "a\r\nset-cookie: x", "code": "c\r\nd"},
    "odd types": {"message": {"a": [1]}, "code": [1], "type": 5, "param": {}},
}


async def test_the_ledger_takes_whatever_comes(
    deploy: Callable[..., Deployment], database: str, base_url: str, upstream: Callable[[Handler], Upstream]
) -> None:
    async def handler(exchange: Exchange) -> None:
        what, name = exchange.said.split("/")
        if what == "fault":
            await exchange.answer({"error": FAULTS[name]}, status=500)
        elif what == "event":
            await exchange.begin()
            await exchange.event({"error": FAULTS[name]})
            await exchange.send(b"0\r\n\r\n")
        elif what == "usage" and exchange.json.get("stream"):
            await exchange.begin()
            await exchange.say("hi")
            await exchange.finish(USAGES[name])
        else:
            await exchange.answer(completion(usage=USAGES[name]))

    served = deploy(CONFIG.format(database=database, base_url=base_url))
    bodies = {f"model {name}": chat_body(model=model) for name, model in MODELS.items()}
    for what, names in (("usage", USAGES), ("fault", FAULTS), ("event", FAULTS)):
        for name in names:
            for stream in (False, True):
                if what == "event" and not stream:
                    continue
                bodies[f"{what} {name} {stream}"] = chat_body(f"{what}/{name}", model="up/m", stream=stream)
    async with upstream(handler), httpx2.AsyncClient(base_url=served.url, timeout=20) as http:
        statuses: dict[str, int] = {}
        for name, body in bodies.items():
            answer = await http.post(
                "/v1/chat/completions", content=body, headers={"x-client-request-id": name}
            )
            statuses[name] = answer.status_code
            assert answer.headers["x-request-id"]
            if answer.status_code != 200:
                assert answer.json()["error"]["message"]
            fine = await http.post(
                "/v1/chat/completions", content=chat_body(), headers={"x-client-request-id": f"after {name}"}
            )
            assert fine.status_code == 200, (name, fine.text)
    assert all(status == 200 for name, status in statuses.items() if name.startswith("usage")), statuses
    assert all(status == 500 for name, status in statuses.items() if name.startswith("fault")), statuses
    assert not [name for name, status in statuses.items() if name.startswith("model") and status >= 500], (
        statuses
    )
    assert served.stop() == 0
    rows = {row["client_request_id"]: row for row in served.calls()}
    for name in bodies:
        assert rows[f"after {name}"]["status"] == "success", name
        if not name.startswith("model"):
            assert rows[name]["status"] == ("success" if name.startswith("usage") else "failed"), name
    for name in ("huge", "beyond 64 bits", "negative", "odd details"):
        for stream in (False, True):
            row = rows[f"usage {name} {stream}"]
            assert row["estimated"], (name, stream)
            assert 0 < row["prompt_tokens"] < 100, (name, stream)
    await check_books(database, served.folder)
    assert served.command("calls").stdout  # as a table, too


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("usage", [False, True])
async def test_a_message_that_is_not_quite_utf_8(
    deploy: Callable[..., Deployment],
    base_url: str,
    upstream: Callable[[Handler], Upstream],
    stream: bool,
    usage: bool,
) -> None:
    async def handler(exchange: Exchange) -> None:
        if stream:
            await exchange.begin()
            await exchange.say("hi")
            await exchange.finish({"prompt_tokens": 1, "completion_tokens": 1} if usage else None)
        else:
            await exchange.answer(completion(usage=USAGE if usage else None))

    served = deploy(CONFIG.format(database="sqlite:///gateway.db", base_url=base_url))
    body = (
        b'{"model":"up/m","stream":%b,"messages":[{"role":"user","content":"\xff\xfe"}]}'
        % json.dumps(stream).encode()
    )
    async with upstream(handler), httpx2.AsyncClient(base_url=served.url, timeout=20) as http:
        answer = await http.post(
            "/v1/chat/completions", content=body, headers={"x-client-request-id": "bytes"}
        )
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert served.row("bytes")["status"] == "success"


def test_headers_that_are_odd(deploy: Callable[..., Deployment]) -> None:
    served = deploy("[provider.mock]\n")
    with httpx2.Client(base_url=served.url) as http:
        for value in (b"", b"x" * 5_000, b"\xff\xfe", "ü🙂".encode(), b"a b\tc", b"%00"):
            answer = http.post(
                "/v1/chat/completions", content=chat_body(), headers={b"x-client-request-id": value}
            )
            assert answer.status_code == 200
            assert answer.headers["x-request-id"].startswith("req_")
        answer = http.post("/v1/chat/completions", content=chat_body(), headers=[("x-request-id", "mine")])
        assert answer.headers.get_list("x-request-id") != ["mine"]
    until(lambda: all(row["status"] == "success" for row in served.calls()))
