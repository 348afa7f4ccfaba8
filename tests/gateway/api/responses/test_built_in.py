"""Tools that run at the provider, from a client of OpenAI's to the ledger: asked for, refused, counted and priced."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from gateway.store import Database
from gateway.store.calls import as_record
from gateway.store.tables import model_calls
from gateway.testing.upstream import FakeUpstream, Reply

from .conftest import Serve

JSON = {"content-type": "application/json"}
KEY = "sk-not-a-real-key-0000000000"


def said(fields: dict[str, Any]) -> Reply:
    return Reply(headers=JSON, parts=[json.dumps(fields).encode()])


async def only_call(database: Database) -> dict[str, Any]:
    async with database.connect() as connection:
        (call,) = [as_record(row) for row in await connection.execute(model_calls.select())]
    return call


async def test_openai_gets_its_own_tools_and_their_fees_are_in_the_cost(
    serve: Serve, upstream: FakeUpstream, database: Database
) -> None:
    provider = {"base_url": f"{upstream.url}/v1", "preset": "openai", "api_key": KEY}
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    output = [
        {**search, "action": {"type": "search", "query": "tide"}},
        {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["tide"]},
    ]
    usage = {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100}
    answer = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-4o", "status": "completed"}
    upstream.reply(said({**answer, "output": output, "usage": usage}))
    tools: Any = [{"type": "web_search", "search_context_size": "high"}, {"type": "mcp", "server_label": "x"}]
    async with serve(provider={"openai": provider}) as sdk:
        response = await sdk.responses.create(model="openai/gpt-4o", input="Tide?", tools=tools)
        assert [item.type for item in response.output] == ["web_search_call", "file_search_call"]
        assert json.loads(upstream.requests[0].body)["tools"] == tools
    call = await only_call(database)
    assert call["units"] == {"searches": 1, "file_searches": 1}
    assert call["cost_nano"] == 1000 * 2_500 + 100 * 10_000 + 10_000_000 + 2_500_000


async def test_claude_gets_its_own_tools_for_openais(
    serve: Serve, upstream: FakeUpstream, database: Database
) -> None:
    provider = {"base_url": upstream.url, "api_key": KEY}
    content: list[dict[str, Any]] = [
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "tide"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "text", "text": "At nine."},
    ]
    used = {"input_tokens": 1000, "output_tokens": 100, "server_tool_use": {"web_search_requests": 1}}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5"}
    upstream.reply(said({**head, "content": content, "stop_reason": "end_turn", "usage": used}))
    tools: Any = [{"type": "web_search"}, {"type": "code_interpreter", "container": {"type": "auto"}}]
    model = "anthropic/claude-sonnet-4-5"
    async with serve(provider={"anthropic": provider}) as sdk:
        response = await sdk.responses.create(model=model, input="Tide?", tools=tools)
        assert [item.type for item in response.output] == ["web_search_call", "message"]
        assert response.output_text == "At nine."
        (request,) = upstream.requests
        kinds = [tool["type"] for tool in json.loads(request.body)["tools"]]
        assert kinds == ["web_search_20250305", "code_execution_20250825"]
        assert request.headers["anthropic-beta"] == "code-execution-2025-08-25"
        follow: Any = [*response.output, {"role": "user", "content": "Thanks."}]
        again = await sdk.responses.with_raw_response.create(model=model, input=follow)
        assert "built_in_calls" in again.headers["x-gateway-dropped"]
        with pytest.raises(openai.BadRequestError, match=r"tools\.image_generation"):
            await sdk.responses.create(model=model, input="Draw.", tools=[{"type": "image_generation"}])
    async with database.connect() as connection:
        calls = [as_record(row) for row in await connection.execute(model_calls.select())]
    first = min(calls, key=lambda call: call["id"])
    assert first["units"] == {"searches": 1}
    assert first["cost_nano"] == 1000 * 3_000 + 100 * 15_000 + 10_000_000
