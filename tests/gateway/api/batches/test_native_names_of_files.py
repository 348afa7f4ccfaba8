"""Files that a provider keeps, in chats and responses: each tenant may name only its own."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway.testing.upstream import FakeUpstream, Reply

from .abroad import FILE, INPUT, Provider, content, said, tables
from .conftest import Serve

ID = "file-abc123"
CHAT: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Read."}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
RESPONSE: dict[str, Any] = {
    "id": "r",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "m",
    "output": [],
    "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
}


async def chat(sdk: AsyncOpenAI, file: str) -> Any:
    parts: Any = [{"type": "file", "file": {"file_id": file}}, {"type": "text", "text": "Read it."}]
    return await sdk.chat.completions.create(model="up/m", messages=[{"role": "user", "content": parts}])


async def respond(sdk: AsyncOpenAI, file: str) -> Any:
    parts: Any = [{"type": "input_file", "file_id": file}]
    return await sdk.responses.create(model="up/m", input=[{"role": "user", "content": parts}])


async def run(sdk: AsyncOpenAI, file: str) -> Any:
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["cfile_1", file]}}
    return await sdk.responses.create(model="up/m", input="Add it up.", tools=[tool])


@pytest.fixture
async def upstream() -> Any:
    async with FakeUpstream() as server:
        yield server


async def test_only_its_own(serve: Serve, upstream: FakeUpstream) -> None:
    async with serve(**tables(upstream, preset="openai")) as sdk:
        upstream.reply(said(FILE))
        await sdk.files.create(file=("a.pdf", b"%PDF"), purpose="user_data")
        for ask, answer in ((chat, CHAT), (respond, RESPONSE), (run, RESPONSE)):
            upstream.reply(said(answer))
            await ask(sdk, ID)
            upstream.reply(said(answer))
            count = len(upstream.requests)
            for stranger, file in ((sdk.with_options(api_key="other"), ID), (sdk, "file-unknown")):
                with pytest.raises(openai.NotFoundError, match=f"No such File object: {file}"):
                    await ask(stranger, file)
            assert len(upstream.requests) == count


async def test_what_was_cited_before_asks_for_nothing(serve: Serve, upstream: FakeUpstream) -> None:
    async with serve(**tables(upstream, preset="openai")) as sdk:
        cited = {"type": "file_citation", "file_id": "file-of-a-store", "index": 0, "filename": "a"}
        said_before: Any = {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "So it is.", "annotations": [cited]}],
        }
        asked: Any = [said_before, {"role": "user", "content": "Sure?"}]
        upstream.reply(said(RESPONSE))
        await sdk.responses.create(model="up/m", input=asked)
        assert b"file-of-a-store" in upstream.requests[-1].body


async def test_lines_of_a_batch(serve: Serve, provider: Provider) -> None:
    line = json.loads(INPUT.splitlines()[0])
    line["body"]["messages"] = [
        {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-of-another"}}]}
    ]
    provider.has[f"GET /v1/files/{ID}/content"] = content(json.dumps(line).encode() + b"\n")
    async with serve(**tables(provider)) as sdk:
        await sdk.files.create(file=("i.jsonl", INPUT), purpose="batch")
        with pytest.raises(openai.NotFoundError, match=r"Line 1 .*No such File object: file-of-another"):
            await sdk.batches.create(
                input_file_id=ID, endpoint="/v1/chat/completions", completion_window="24h"
            )


async def test_files_that_the_gateway_keeps_are_no_providers(serve: Serve, upstream: FakeUpstream) -> None:
    settings = tables(upstream, preset="openai")
    async with serve(**{**settings, "gateway": {}}) as sdk:
        upstream.reply(Reply(headers={"content-type": "application/json"}, parts=[json.dumps(CHAT).encode()]))
        await chat(sdk, "file-of-the-provider")
        assert len(upstream.requests) == 1
