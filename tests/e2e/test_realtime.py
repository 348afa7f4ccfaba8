"""Realtime sessions from outside: OpenAI's SDK, services that cut, hang and lie, clients that do not read, signals."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from openai import AsyncOpenAI
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Response

from .support.process import Deployment, until
from .support.session import CREATED, done, ending, heard, joining, service, tell

Deploy = Callable[..., Deployment]

CONFIG = """
[gateway]
drain_seconds = {drain}
[gateway.timeouts]
session = {session}
{auth}
[provider.mock]
[provider.up]
use = "openai"
base_url = "{url}"
api_key = "sk-not-a-real-key-of-the-operator"
"""


def config(
    url: str = "http://127.0.0.1:9/v1", *, drain: float = 5, session: float = 60, keys: bool = False
) -> str:
    return CONFIG.format(url=url, drain=drain, session=session, auth="[auth.apikey]" if keys else "")


async def echo(connection: ServerConnection) -> None:
    """Begin, answer every event with itself, and end each response with usage."""
    await tell(connection, CREATED)
    async for message in connection:
        await connection.send(message)
        if json.loads(message)["type"] == "response.create":
            await tell(connection, done(10, 4, cached=3, heard=2, spoken=1))


def row(served: Deployment) -> dict[str, Any]:
    """Wait for the only call to be settled."""
    return until(lambda: [call for call in served.calls() if call["status"] != "processing"])[0]


async def test_openais_sdk_talks_with_the_mock(deploy: Deploy) -> None:
    served = deploy(config(keys=True))
    key = served.key()["key"]
    async with (
        AsyncOpenAI(
            api_key=key,
            base_url=f"{served.url}/v1",
            websocket_base_url=f"ws{served.url.removeprefix('http')}/v1",
        ) as sdk,
        sdk.realtime.connect(model="mock/echo") as session,
    ):
        assert (await session.recv()).type == "session.created"
        await session.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        content: Any = [{"type": "input_text", "text": "Tell me twice."}]
        await session.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await session.response.create()
        await session.response.create()
        said, ended = "", 0
        async for event in session:
            if event.type == "response.output_text.delta":
                said += event.delta
            ended += event.type == "response.done"
            if ended == 2:
                break
    assert said == "Tell me twice." * 2
    call = row(served)
    assert (call["capability"], call["status"], call["model"]) == ("realtime", "success", "mock/echo")
    assert (call["prompt_tokens"], call["completion_tokens"], call["estimated"]) == (6, 6, False)


async def test_a_session_is_relayed_untouched_and_metered(deploy: Deploy) -> None:
    async with service(echo) as upstream:
        served = deploy(config(upstream.url, keys=True))
        key = served.key()["key"]
        more = {"openai-beta": "realtime=v1", "cookie": "a=b", "openai-organization": "another"}
        async with joining(served.url, key=key, headers=more) as client:
            assert await heard(client) == CREATED
        passed = upstream.requests[-1].headers
        assert passed["openai-beta"] == "realtime=v1"
        assert not {"cookie", "openai-organization"} & {name.lower() for name in passed}
        async with joining(served.url, query="model=up/talker&x=1", key=key) as client:
            client_sent = json.dumps(
                {"type": "new.event", "text": "né \u2028 ✓", "deep": {"n": [1.50, None]}}
            )
            assert await heard(client) == CREATED
            await client.send(client_sent)
            assert await client.recv() == client_sent
            for _ in range(2):
                await client.send('{"type":"response.create"}')
                assert (await heard(client))["type"] == "response.create"
                assert (await heard(client))["type"] == "response.done"
        request = upstream.requests[-1]
        assert request.path == "/v1/realtime?model=talker"
        assert request.headers["authorization"] == "Bearer sk-not-a-real-key-of-the-operator"
        calls = until(lambda: [c for c in served.calls() if c["status"] == "success"][1:] and served.calls())
    call, empty = calls
    assert (call["prompt_tokens"], call["completion_tokens"], call["cached_read_tokens"]) == (20, 8, 6)
    assert (call["upstream_model"], call["provider"], call["http_status"]) == ("talker", "up", 101)
    assert (empty["prompt_tokens"], empty["completion_tokens"]) == (0, 0)


async def test_browsers_send_their_key_as_a_subprotocol(deploy: Deploy) -> None:
    async with service(echo) as upstream:
        served = deploy(config(upstream.url, keys=True))
        key = served.key("--model", "up/talker")["key"]
        offered: Any = ["realtime", f"openai-insecure-api-key.{key}", "openai-beta.realtime-v1"]
        async with joining(served.url, subprotocols=offered, origin="https://elsewhere.test") as client:
            assert client.subprotocol == "realtime"
            assert await heard(client) == CREATED
        assert upstream.requests[0].headers["openai-beta"] == "realtime=v1"
        assert key not in str(upstream.requests[0].headers)
        for query, status, code in (
            ("model=up/other", 403, "model_not_allowed"),
            ("", 400, None),
            ("call_id=rtc_1", 400, None),
        ):
            with pytest.raises(InvalidStatus) as refused:
                await joining(served.url, query, subprotocols=offered)
            response = refused.value.response
            assert (response.status_code, json.loads(response.body or b"")["error"]["code"]) == (status, code)
            assert response.headers["x-request-id"].startswith("req_")
        for key in (None, "gw_wrong"):
            with pytest.raises(InvalidStatus) as refused:
                await joining(served.url, key=key)
            assert refused.value.response.status_code == 401
        assert len(upstream.requests) == 1
    assert "gw_" not in served.text()


async def test_without_authentication_other_sites_are_kept_out(deploy: Deploy) -> None:
    served = deploy(config())
    async with joining(served.url, "model=mock/echo", origin=f"{served.url}") as client:
        assert (await heard(client))["type"] == "session.created"
    with pytest.raises(InvalidStatus) as refused:
        await joining(served.url, "model=mock/echo", origin="https://evil.test")
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_the_services_refusal_is_told_before_the_session(deploy: Deploy, status: int) -> None:
    def refuse(connection: ServerConnection) -> Response:
        secret = "sk-not-a-real-key-of-the-operator"
        response = connection.respond(HTTPStatus(status), json.dumps({"error": {"message": f"no {secret}"}}))
        response.headers["retry-after"] = "7"
        return response

    async with service(echo, refuse=refuse) as upstream:
        served = deploy(config(upstream.url))
        with pytest.raises(InvalidStatus) as refused:
            await joining(served.url)
    response = refused.value.response
    assert response.status_code == status
    assert json.loads(response.body or b"")["error"]["message"] == "no [redacted]"
    assert response.headers["retry-after"] == "7"
    call = row(served)
    assert (call["status"], call["http_status"]) == ("failed", status)


async def test_nobody_there_and_no_such_model(deploy: Deploy) -> None:
    served = deploy(config())
    for query, status in (("model=up/talker", 502), ("model=nothing", 404)):
        with pytest.raises(InvalidStatus) as refused:
            await joining(served.url, query)
        assert refused.value.response.status_code == status


async def test_a_service_that_breaks_off(deploy: Deploy) -> None:
    async def handler(connection: ServerConnection) -> None:
        await tell(connection, CREATED)
        await connection.recv()
        await tell(connection, done(10, 4))
        await tell(connection, {"type": "response.output_text.delta", "delta": "twelve chars"})
        connection.transport.abort()

    async with service(handler) as upstream:
        served = deploy(config(upstream.url))
        async with joining(served.url) as client:
            await heard(client)
            await client.send('{"type":"response.create"}')
            events, code = await ending(client)
    assert [event["type"] for event in events] == ["response.done", "response.output_text.delta", "error"]
    assert (events[-1]["error"]["code"], code) == ("upstream_cut", 1011)
    call = row(served)
    assert (call["status"], call["error"]["code"]) == ("failed", "upstream_cut")
    assert (call["prompt_tokens"], call["completion_tokens"], call["estimated"]) == (10, 8, True)


@pytest.mark.parametrize("lie", ["{not json", '{"type": "response.done", "response"'])
async def test_a_service_that_lies(deploy: Deploy, lie: str) -> None:
    async def handler(connection: ServerConnection) -> None:
        await tell(connection, CREATED)
        await connection.recv()
        await connection.send(lie)
        await connection.wait_closed()

    async with service(handler) as upstream:
        served = deploy(config(upstream.url))
        async with joining(served.url) as client:
            await heard(client)
            await client.send('{"type":"response.create"}')
            events, code = await ending(client)
    assert (events[-1]["type"], events[-1]["error"]["code"], code) == ("error", "upstream_malformed", 1011)
    assert row(served)["status"] == "failed"


async def test_a_service_that_closes_with_a_reason(deploy: Deploy) -> None:
    async def handler(connection: ServerConnection) -> None:
        await tell(connection, CREATED)
        await connection.recv()
        await connection.close(4000, "invalid_request_error.session_gone")

    async with service(handler) as upstream:
        served = deploy(config(upstream.url))
        async with joining(served.url) as client:
            await heard(client)
            await client.send("{}")
            events, code = await ending(client)
    assert "code 4000: invalid_request_error.session_gone" in events[-1]["error"]["message"]
    assert code == 1011


async def test_a_session_has_an_end(deploy: Deploy) -> None:
    async with service(echo) as upstream:
        served = deploy(config(upstream.url, session=3))
        async with joining(served.url) as client:
            await heard(client)
            await client.send('{"type":"response.create"}')
            events, code = await ending(client)
    assert (events[-1]["error"]["code"], code) == ("session_expired", 1001)
    call = row(served)
    assert (call["error"]["code"], call["prompt_tokens"]) == ("session_expired", 10)


async def test_sigterm_ends_sessions(deploy: Deploy) -> None:
    async with service(echo) as upstream:
        served = deploy(config(upstream.url, drain=0.3))
        async with joining(served.url) as client:
            await heard(client)
            await client.send('{"type":"response.create"}')
            await heard(client)
            await heard(client)
            stopping = asyncio.create_task(asyncio.to_thread(served.stop))
            events, code = await ending(client)
            assert await stopping == 0
    assert (events[-1]["error"]["code"], code) == ("shutdown", 1012)
    call = row(served)
    assert (call["error"]["code"], call["prompt_tokens"]) == ("shutdown", 10)


async def test_a_killed_gateway_leaves_a_session_to_recovery(deploy: Deploy) -> None:
    async with service(echo) as upstream:
        served = deploy(config(upstream.url))
        async with joining(served.url) as client:
            await heard(client)
            assert [call["status"] for call in served.calls()] == ["processing"]
            served.kill()
            with pytest.raises(ConnectionClosed):
                await client.recv()
        served.start()
    call = row(served)
    assert (call["status"], call["error"]["code"]) == ("failed", "abandoned")


async def test_a_client_that_does_not_read_fills_no_memory(deploy: Deploy) -> None:
    sent = 0
    message = json.dumps({"type": "response.output_audio.delta", "delta": "A" * 100_000})

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        await tell(connection, CREATED)
        for _ in range(2000):
            await connection.send(message)
            sent += 1

    async with service(flood) as upstream:
        served = deploy(config(upstream.url))
        before = served.memory()
        async with joining(served.url, max_queue=1) as client:
            await heard(client)
            count = -1
            while sent != count:
                count = sent
                await asyncio.sleep(0.5)
            assert 0 < sent < 500, "the service is held back"
            assert served.memory() - before < 40 * 2**20
            client.transport.abort()
        call = row(served)
    assert call["completion_tokens"] > 0
    assert call["estimated"]


async def test_a_service_that_does_not_read_holds_the_client_back(deploy: Deploy) -> None:
    over = asyncio.Event()

    async def deaf(connection: ServerConnection) -> None:
        await tell(connection, CREATED)
        connection.transport.pause_reading()
        await over.wait()
        connection.transport.abort()

    async with service(deaf) as upstream:
        served = deploy(config(upstream.url, drain=0.2))
        async with joining(served.url) as client:
            await heard(client)
            message = json.dumps({"type": "input_audio_buffer.append", "audio": "A" * 100_000})
            taken = 0
            with contextlib.suppress(TimeoutError):
                while taken < 2000:
                    async with asyncio.timeout(2):
                        await client.send(message)
                    taken += 1
            assert 0 < taken < 500
            client.transport.abort()
        assert await asyncio.to_thread(served.stop) == 0
        assert row(served)["status"] != "processing"
        over.set()
