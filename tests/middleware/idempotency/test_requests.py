"""One call and one bill, and the same answer for everybody who sends the key again."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from starlette.types import Message

from gateway_idempotency.bills import Bills
from gateway_idempotency.gate import Gate

from .conftest import Serve
from .served import HI, KEY, Caller


async def ask(sdk: AsyncOpenAI) -> Any:
    """Ask with the official SDK, and return its raw answer."""
    return await sdk.chat.completions.with_raw_response.create(
        model="fake/good", messages=HI, extra_headers={"Idempotency-Key": "fifty"}
    )


async def test_fifty_at_once_make_one_call_and_get_one_answer(serve: Serve) -> None:
    async with serve(held=True) as served:
        asking = asyncio.gather(*(ask(served.sdk) for _ in range(50)))
        await served.provider.reached.wait()
        served.provider.go.set()
        answers = await asking
        assert len({answer.content for answer in answers}) == 1
        assert answers[0].parse().choices[0].message.content == "Hello from the fake provider."
        assert sum("idempotent-replayed" in answer.headers for answer in answers) == 49
        assert len({answer.headers["x-request-id"] for answer in answers}) == 50
        assert len(served.provider.attempts) == 1
        later = await ask(served.sdk)
        assert later.content == answers[0].content
        assert later.headers["idempotent-replayed"] == "true"
        await served.settled(1)


async def test_a_running_stream_is_followed_live_and_replayed_afterwards(serve: Serve) -> None:
    async with serve(held=True) as served:
        leader, follower = Caller(served.gateway), Caller(served.gateway)
        await leader.until(b"Hello")
        await follower.until(b"Hello")  # while the provider has not said more
        assert follower.headers[b"idempotent-replayed"] == b"true"
        assert b"idempotent-replayed" not in leader.headers
        served.provider.go.set()
        await asyncio.gather(leader.task, follower.task)
        assert leader.ended
        assert follower.ended
        assert leader.body.endswith(b"data: [DONE]\n\n")
        assert b"".join(follower.pieces) == leader.body
        again = Caller(served.gateway)
        await again.task
        assert [piece for piece in again.pieces if piece] == [piece for piece in leader.pieces if piece]
        assert len(served.provider.attempts) == 1
        for _ in range(2):
            stream = await served.sdk.chat.completions.create(
                model="fake/good", messages=HI, stream=True, extra_headers={"Idempotency-Key": "sdk"}
            )
            said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
            assert "".join(said) == "Hello from the fake provider."
        assert len(served.provider.attempts) == 2
        await served.settled(2)


@pytest.mark.parametrize("running", [True, False])
async def test_another_body_is_refused(serve: Serve, running: bool) -> None:
    async with serve(held=running) as served:
        first = asyncio.create_task(served.chat())
        await served.provider.reached.wait()
        if not running:
            await first
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            await served.sdk.chat.completions.create(
                model="fake/good",
                messages=[{"role": "user", "content": "Bye."}],
                extra_headers={"Idempotency-Key": "k-1"},
            )
        assert refused.value.code == "idempotency_key_reused"
        served.provider.go.set()
        assert (await first).status_code == 200
        assert len(served.provider.attempts) == 1


MESSAGES: dict[str, Any] = {"model": "mock/echo", "max_tokens": 9, "messages": HI}
GEMINI: dict[str, Any] = {"contents": [{"parts": [{"text": "Hello?"}]}]}


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/messages", MESSAGES, "type"),
        ("/v1/responses", {"model": "mock/echo", "input": "Hello?"}, "code"),
        ("/v1/embeddings", {"model": "mock/embed", "input": "Hello?"}, "code"),
        ("/v1beta/models/mock/echo:generateContent", GEMINI, "status"),
        ("/v1beta/models/mock/echo:streamGenerateContent?key=not-a-key", GEMINI, "status"),
    ],
)
async def test_every_dialect(serve: Serve, path: str, body: dict[str, Any], code: str) -> None:
    async with serve() as served:
        first = await served.client.post(path, json=body, headers=KEY)
        again = await served.client.post(path, json=body, headers=KEY)
        assert first.status_code == again.status_code == 200, first.text
        assert first.content == again.content
        assert "idempotent-replayed" in again.headers
        refused = await served.client.post(path, json={**body, "user": "x"}, headers=KEY)
        assert refused.status_code == 422
        error = refused.json()["error"]
        assert error[code] in {"idempotency_key_reused", "invalid_request_error", "INVALID_ARGUMENT"}
        assert "Idempotency-Key" in refused.text
        await served.settled(1)


async def test_keys_belong_to_a_tenant_and_an_endpoint(serve: Serve) -> None:
    async with serve() as served:
        await served.chat()
        other = await served.chat(headers={"x-tenant": "globex"})
        elsewhere = await served.client.post("/v1/messages", json=MESSAGES, headers=KEY)
        assert other.status_code == elsewhere.status_code == 200
        assert not {"idempotent-replayed"} & {*other.headers, *elsewhere.headers}
        assert {row.tenant for row in await served.kept()} == {"acme", "globex"}
        await served.settled(3)


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\xe9", "tab\there"])
async def test_a_key_that_is_none_is_refused(serve: Serve, key: str) -> None:
    async with serve() as served:
        raw = [(b"idempotency-key", key.encode("latin-1")), (b"content-type", b"application/json")]
        caller = Caller(served.gateway, headers=raw)
        await caller.task
        assert caller.status == 400
        assert json.loads(caller.body)["error"]["code"] == "invalid_idempotency_key"
        longest = await served.chat(headers={"idempotency-key": "x" * 255})
        assert longest.status_code == 200


async def test_forms_and_uploads_with_another_boundary_each_time(serve: Serve) -> None:
    async with serve() as served:
        sound = ("a.wav", b"RIFF" + b"\0" * 2_000_000, "audio/wav")
        texts = [
            await served.sdk.audio.transcriptions.create(
                model="mock/transcribe", file=sound, extra_headers={"Idempotency-Key": "form"}
            )
            for _ in range(2)
        ]
        assert texts[0].text == texts[1].text
        with pytest.raises(openai.UnprocessableEntityError):
            await served.sdk.audio.transcriptions.create(
                model="mock/transcribe",
                file=sound,
                language="de",
                extra_headers={"Idempotency-Key": "form"},
            )
        await served.settled(1)
        files = [
            await served.sdk.files.create(
                file=("a.txt", b"Hello"), purpose="user_data", extra_headers={"Idempotency-Key": "file"}
            )
            for _ in range(2)
        ]
        assert files[0].id == files[1].id
        assert len((await served.sdk.files.list()).data) == 1


async def test_a_request_without_a_key_meets_the_application_itself() -> None:
    seen: list[object] = []

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        del message

    async def app(*given: object) -> None:
        seen[:] = given

    gate = Gate(app, lambda: pytest.fail("nobody asks"), Bills())
    for method, headers in (("POST", [(b"accept", b"*/*")]), ("GET", [(b"idempotency-key", b"k")])):
        scope = {"type": "http", "method": method, "headers": headers}
        await gate(scope, receive, send)
        assert seen == [scope, receive, send]
        assert "gateway.admitted" not in scope
