"""Cohere's official SDK embeds and ranks, at the gateway's own paths and at Cohere's; `make matrix` runs it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ..e2e.support.process import deployment, environment
from ..e2e.support.upstream import Exchange, Upstream, listen
from .environments import command
from .registry import CLIENTS as EACH
from .run import CLIENTS, KEY

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]
CONFIG = """
[auth.apikey]
[provider.mock]
[provider.cohere]
base_url = "{url}"
api_key = "{key}"
"""
BILLED = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 9}}
RANKED = [{"index": 0, "relevance_score": 0.9}, {"index": 1, "relevance_score": 0.1}]
SDK = next(client for client in EACH if client.name == "cohere")


async def cohere(exchange: Exchange) -> None:
    """Answer as https://docs.cohere.com/reference/embed and https://docs.cohere.com/reference/rerank say."""
    assert exchange.headers["authorization"] == f"Bearer {KEY}"
    asked = exchange.json
    if exchange.path == "/v2/embed":
        assert asked["embedding_types"] == ["float", "int8"]
        vectors = {"float": [[0.5, 0.25], [1.0, 0.0]], "int8": [[5, 2], [10, 0]]}
        answer: dict[str, Any] = {"id": "e-1", "embeddings": vectors, "texts": asked["texts"], "meta": BILLED}
    else:
        assert exchange.path in {"/v1/rerank", "/v2/rerank"}
        assert asked["top_n"] == len(asked["documents"]) == 2
        answer = {"id": "r-1", "results": RANKED, "meta": {**BILLED, "billed_units": {"search_units": 1}}}
    await exchange.answer(answer)


async def test_embeds_and_ranks_and_every_call_is_counted(tmp_path: Path) -> None:
    python, *_ = await command(SDK)
    with listen() as listener:
        config = CONFIG.format(url=f"http://127.0.0.1:{listener.getsockname()[1]}", key=KEY)
        async with Upstream(cohere, listener):
            told, calls = await asyncio.to_thread(_search, tmp_path, config, python)
    order = [[one["index"], one["relevance_score"]] for one in RANKED]
    assert {name: told[name] for name in ("own v1", "own v2", "v1", "v2")} == dict.fromkeys(
        ("own v1", "own v2", "v1", "v2"), order
    )
    assert (told["float"], told["int8"]) == ([[0.5, 0.25], [1.0, 0.0]], [[5, 2], [10, 0]])
    assert told["gateway"] == [told["float"], told["int8"]]
    assert told["other"] == told["bare"]
    assert len(told["bare"]) == 2
    assert "documents" in told["refused"]
    counted = sorted(
        (call["capability"], call["prompt_tokens"], call["cost"] > 0)
        for call in calls
        if call["status"] == "success" and call["provider"] == "cohere"
    )
    assert counted == [*[("embedding", 9, True)] * 2, *[("rerank", 0, True)] * 4]


def _search(folder: Path, config: str, python: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Run the SDK against a gateway; return what it printed, and the calls of the ledger."""
    with deployment(folder, config) as served:
        ran = subprocess.run(
            [python, "-W", "ignore", "search.py", served.url, served.key()["key"]],
            cwd=CLIENTS / "cohere",
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr[-3000:]
        return json.loads(ran.stdout), served.calls()
