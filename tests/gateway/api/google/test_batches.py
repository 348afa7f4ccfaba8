"""Batches of Google's clients, through the official SDK: each request is a call, held for and settled once."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from google.genai import errors, types

from gateway import Gateway

from .conftest import Serve
from .service import Google, answer

REQUESTS = [
    {"contents": [{"role": "user", "parts": [{"text": text}]}]} for text in ("One.", "Two.", "Three.")
]
FAILED = {"error": {"code": 3, "message": "No such picture."}}


def lines(*keys: str, **more: Any) -> bytes:
    made = [{"key": key, "request": {**REQUESTS[0], **more}} for key in keys]
    return b"".join(json.dumps(line).encode() + b"\n" for line in made)


async def upload(sdk: Any, data: bytes, kind: str = "jsonl") -> str:
    file = await sdk.files.upload(file=io.BytesIO(data), config=types.UploadFileConfig(mime_type=kind))
    return file.name


async def test_requests_in_the_batch_are_calls_settled_once(serve: Serve, google: Google, calls: Any) -> None:
    async with serve() as sdks:
        sdk = sdks("acme")
        batch = await sdk.batches.create(model="fast", src=REQUESTS, config={"display_name": "mine"})
        assert (batch.name, batch.state) == ("batches/b1", types.JobState.JOB_STATE_PENDING)
        sent = google.requests[-1]
        assert sent.path == "/v1/models/gemini-2.5-flash:batchGenerateContent"
        assert json.loads(sent.body)["batch"]["displayName"] == "mine"
        opened = await calls(running=3)
        assert [row["status"] for row in opened] == ["processing"] * 3
        assert [row["client_request_id"] for row in opened] == ["b1/1", "b1/2", "b1/3"]
        assert {(row["model"], row["tenant"]) for row in opened} == {("up/gemini-2.5-flash", "acme")}
        google.ends({"response": answer("One.")}, FAILED, {"response": answer("Three.", 7, 3)})
        for _ in range(2):
            found = await asyncio.gather(*(sdk.batches.get(name=batch.name) for _ in range(3)))
            assert {one.state for one in found} == {types.JobState.JOB_STATE_SUCCEEDED}
        ended: Any = await sdk.batches.get(name=batch.name)
        texts = [one.response.text if one.response else None for one in ended.dest.inlined_responses]
        assert texts == ["One.", None, "Three."]
        first, bad, third = await calls()
        assert (first["status"], first["prompt_tokens"], first["completion_tokens"]) == ("success", 1000, 100)
        assert (third["prompt_tokens"], third["upstream_model"]) == (7, "gemini-2.5-flash")
        assert (bad["status"], bad["error"]["code"]) == ("failed", "INVALID_ARGUMENT")
        assert bad["prompt_tokens"] is None
        await sdk.batches.delete(name=batch.name)
        with pytest.raises(errors.ClientError, match="not yours"):
            await sdk.batches.get(name=batch.name)


async def test_requests_in_a_file_and_results_in_another(serve: Serve, google: Google, calls: Any) -> None:
    async with serve() as sdks:
        sdk = sdks("acme")
        batch = await sdk.batches.create(
            model="gemini-2.5-flash", src=await upload(sdk, lines("a", "b", "c"))
        )
        asked = json.loads(google.requests[-1].body)["batch"]["inputConfig"]
        assert asked == {"fileName": "files/file-u0"}
        assert {row["client_request_id"] for row in await calls(running=3)} == {"b1/a", "b1/b", "b1/c"}
        google.ends_in_a_file({"key": "b", "response": answer("B.")}, {"key": "a", **FAILED})
        ended = await sdk.batches.get(name=batch.name)
        assert ended.dest.file_name == "files/batch-out"
        results = (await sdk.files.download(file=ended.dest.file_name)).splitlines()
        assert [json.loads(line)["key"] for line in results] == ["b", "a"]
        a, b, c = await calls()
        assert (a["status"], b["status"], b["prompt_tokens"]) == ("failed", "success", 1000)
        assert (c["status"], c["error"]["code"]) == ("failed", "usage_unknown")
        with pytest.raises(errors.ClientError, match="not yours"):
            await sdks("other").files.download(file=ended.dest.file_name)


async def test_a_large_file_is_read_where_it_passed(serve: Serve, calls: Any) -> None:
    text = {"systemInstruction": {"parts": [{"text": "x" * 2**20}]}}
    names = [f"key-{n}" for n in range(9)]
    async with serve() as sdks:
        await sdks("acme").batches.create(
            model="gemini-2.5-flash", src=await upload(sdks("acme"), lines(*names, **text))
        )
        begun = await calls(running=len(names))
        assert [row["client_request_id"] for row in begun] == [f"b1/{name}" for name in names]


@pytest.mark.filterwarnings("ignore:batches.create_embeddings")
async def test_vectors_cost_the_tokens_that_are_told(serve: Serve, google: Google, calls: Any) -> None:
    contents = [{"parts": [{"text": "One."}]}, {"parts": [{"text": "Two."}]}]
    async with serve() as sdks:
        sdk = sdks("acme")
        await sdk.batches.create_embeddings(
            model="gemini-embedding-001", src={"inlined_requests": {"contents": contents}}
        )
        assert google.requests[-1].path == "/v1/models/gemini-embedding-001:asyncBatchEmbedContent"
        google.ends(*({"response": {"embedding": {"values": [0.5]}, "tokenCount": n}} for n in (3, 4)))
        await sdk.batches.get(name="batches/b1")
        rows = [(row["capability"], row["status"], row["prompt_tokens"]) for row in await calls()]
        assert rows == [("embedding", "success", 3), ("embedding", "success", 4)]


@pytest.mark.filterwarnings("ignore:batches.create_embeddings")
async def test_vectors_whose_tokens_are_not_told_are_estimated(
    serve: Serve, google: Google, calls: Any
) -> None:
    contents = [{"parts": [{"text": "x" * 400}]}, {"parts": [{"text": "y" * 38}]}]
    async with serve() as sdks:
        sdk = sdks("acme")
        await sdk.batches.create_embeddings(
            model="gemini-embedding-001", src={"inlined_requests": {"contents": contents}}
        )
        told = {"response": {"embedding": {"values": [0.5]}, "tokenCount": 9}}
        google.ends({"response": {"embedding": {"values": [0.5]}}}, told)
        await sdk.batches.get(name="batches/b1")
        rows = [(row["prompt_tokens"], row["estimated"]) for row in await calls()]
        assert rows == [(100, True), (9, False)]
        assert all(float(row["cost"]) > 0 for row in await calls())


async def test_results_that_cannot_be_read_are_asked_for_again(
    serve: Serve, google: Google, calls: Any
) -> None:
    async with serve() as sdks:
        sdk = sdks("acme")
        await sdk.batches.create(model="gemini-2.5-flash", src=await upload(sdk, lines("a")))
        google.ends_in_a_file({"key": "a", "response": answer("A.")})
        google.broken.add("/v1/files/batch-out:download")
        found = await sdk.batches.get(name="batches/b1")
        assert found.state == types.JobState.JOB_STATE_RUNNING
        assert found.dest is None
        assert len(await calls(running=1)) == 1
        with pytest.raises(errors.ClientError, match="has not ended"):
            await sdk.batches.delete(name="batches/b1")
        google.broken.clear()
        assert (await sdk.batches.get(name="batches/b1")).dest.file_name == "files/batch-out"
        assert [row["status"] for row in await calls()] == ["success"]


async def test_a_cancelled_batch_costs_nothing(serve: Serve, google: Google, calls: Any) -> None:
    async with serve() as sdks:
        sdk = sdks("acme")
        await sdk.batches.create(model="gemini-2.5-flash", src=REQUESTS[:1])
        await sdk.batches.cancel(name="batches/b1")
        assert (await sdk.batches.get(name="batches/b1")).state == types.JobState.JOB_STATE_CANCELLED
        assert [one.name async for one in await sdk.batches.list()] == ["batches/b1"]
        (row,) = await calls()
        assert (row["status"], row["error"]["code"], row["cost"]) == ("cancelled", "batch_cancelled", None)
        stranger = sdks("other")
        assert [one async for one in await stranger.batches.list()] == []
        count = len(google.requests)
        for attempt in (stranger.batches.get, stranger.batches.cancel, stranger.batches.delete):
            with pytest.raises(errors.ClientError, match="not yours"):
                await attempt(name="batches/b1")
        assert len(google.requests) == count


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (lines("a", "a"), "Line 2 of the input file: The key 'a' is used more than once"),
        (b'{"request": {}}\n', "Line 1 of the input file: .*key"),
        (lines("a", contents=[]), r"Line 1 of the input file \('a'\): 'contents' must hold"),
        (lines("a", model="models/other"), r"Line 1 .*\('a'\): it names the model 'models/other'"),
        (b"\n", "holds no request"),
    ],
)
async def test_a_bad_file_begins_no_batch(
    serve: Serve, google: Google, calls: Any, data: bytes, told: str
) -> None:
    async with serve() as sdks:
        name = await upload(sdks("acme"), data)
        count = len(google.requests)
        with pytest.raises(errors.ClientError, match=told) as refused:
            await sdks("acme").batches.create(model="gemini-2.5-flash", src=name)
        assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")
        assert len(google.requests) == count
        assert {row["status"] for row in await calls()} <= {"failed"}


async def test_who_may_not_use_the_model_begins_no_batch(serve: Serve, google: Google, calls: Any) -> None:
    async with serve() as sdks:
        for model in ("fast", "up/gemini-2.5-flash", "gemini-2.5-flash"):
            with pytest.raises(errors.ClientError, match="Request 1 of the batch: this API key may not use"):
                await sdks("limited").batches.create(model=model, src=REQUESTS)
        with pytest.raises(errors.ClientError, match="none of the provider 'up'") as elsewhere:
            await sdks("acme").batches.create(model="mock/echo", src=REQUESTS)
        assert elsewhere.value.status == "NOT_FOUND"
        with pytest.raises(errors.ClientError, match="application/jsonl"):
            await sdks("acme").batches.create(
                model="gemini-2.5-flash", src=await upload(sdks("acme"), lines("a"), "text/plain")
            )
        assert await calls() == []


async def test_a_batch_that_the_provider_refuses_leaves_nothing_held(
    serve: Serve, google: Google, calls: Any
) -> None:
    google.broken.add("/v1/models/gemini-2.5-flash:batchGenerateContent")
    async with serve() as sdks:
        with pytest.raises(errors.ServerError, match="Busy"):
            await sdks("acme").batches.create(model="gemini-2.5-flash", src=REQUESTS)
        assert [(row["status"], row["error"]["code"]) for row in await calls()] == [
            ("failed", "batch_refused")
        ] * 3


async def test_another_process_settles_what_nobody_asks_after(
    build: Callable[..., Gateway], serve: Serve, google: Google, calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve() as sdks:
        await sdks("acme").batches.create(model="gemini-2.5-flash", src=REQUESTS[:1])
    google.ends({"response": answer("One.")})
    monkeypatch.setattr("gateway.api.native.watcher.EVERY_SECONDS", 0.02)
    async with build().lifespan():
        assert [row["status"] for row in await calls()] == ["success"]
