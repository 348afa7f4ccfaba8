"""Where a session is opened, and with what."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from gateway.types import Attempt, Call, Principal, Target
from gateway_azure.provider import AzureProvider

CALL = Call(
    id="call_1",
    request_id="req_1",
    client_request_id=None,
    capability="realtime",
    dialect="openai.realtime",
    model="azure/gpt-realtime",
    stream=True,
    shows_usage=True,
    body=b"",
    principal=Principal(tenant="default", authenticator="test"),
    received_at=time.time(),
    forwarded=[(b"openai-beta", b"realtime=v1")],
)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, "/openai/v1/realtime?model=gpt-realtime"),
        ({"deployments": {"gpt-realtime": "my voice"}}, "/openai/v1/realtime?model=my%20voice"),
        (
            {"api_version": "2024-10-01-preview"},
            "/openai/realtime?api-version=2024-10-01-preview&deployment=gpt-realtime",
        ),
    ],
)
async def test_a_session(provider: Callable[..., AzureProvider], settings: dict[str, Any], path: str) -> None:
    async def hello(connection: ServerConnection) -> None:
        await connection.send('{"type":"session.created"}')
        await connection.wait_closed()

    async with serve(hello, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        target = Target("azure", "gpt-realtime", "openai.realtime")
        answer = await provider(base_url=url, **settings).send(
            Attempt(call=CALL, target=target, number=1, body=b"")
        )
        assert answer.stream is not None
        assert answer.session is not None
        assert await anext(aiter(answer.stream)) == b'{"type":"session.created"}'
        (connection,) = server.connections
        request = connection.request
        assert request is not None
        assert request.path == path
        assert request.headers["api-key"] == "not-a-real-key"
        assert request.headers["openai-beta"] == "realtime=v1"
        await answer.session.close()
