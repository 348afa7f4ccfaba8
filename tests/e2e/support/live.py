"""Gemini's Live API on the loopback: a gateway before it, what it sends, and clients without an SDK."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from .process import Deployment

OWN_KEY = "AIza-not-a-real-key-of-the-operator"
CONFIG = """
[gateway]
drain_seconds = {drain}
max_body_bytes = 100000
[gateway.timeouts]
session = {session}
[auth.apikey]
[provider.mock]
[provider.google]
use = "gemini"
base_url = "{url}beta"
{keys}
{more}
"""


def config(
    url: str = "http://127.0.0.1:9/v1",
    *,
    keys: str = f'api_key = "{OWN_KEY}"',
    drain: float = 5,
    session: float = 60,
    more: str = "",
) -> str:
    return CONFIG.format(url=url, keys=keys, drain=drain, session=session, more=more)


def usage(prompt: int, made: int, *, heard: int = 0, spoken: int = 0, **more: int) -> dict[str, Any]:
    return {
        "promptTokenCount": prompt,
        "responseTokenCount": made,
        "totalTokenCount": prompt + made,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": prompt - heard},
            {"modality": "AUDIO", "tokenCount": heard},
        ],
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": spoken}],
        **more,
    }


async def tell(connection: ServerConnection, **message: Any) -> None:
    """Send a message as Google does: JSON in a binary frame."""
    await connection.send(json.dumps(message).encode())


def content(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**({"modelTurn": {"role": "model", "parts": list(parts)}} if parts else {}), **more}


def spoken(sound: bytes) -> dict[str, Any]:
    return {
        "inlineData": {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(sound).decode()},
    }


async def set_up(connection: ServerConnection) -> dict[str, Any]:
    """Take a client's setup, and say that it is complete."""
    setup = json.loads(await connection.recv())["setup"]
    await tell(connection, setupComplete={})
    return setup


def joining(
    served: Deployment, key: str | None, *, version: str = "v1beta", query: str = "", **more: Any
) -> connect:
    """Connect to the gateway without an SDK."""
    path = f"/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent{query}"
    headers = {"x-goog-api-key": key} if key else {}
    return connect(f"ws://127.0.0.1:{served.port}{path}", additional_headers=headers, proxy=None, **more)


async def begin(client: ClientConnection, model: str = "google/talker") -> Any:
    await client.send(json.dumps({"setup": {"model": f"models/{model}"}}))
    return json.loads(await client.recv())


async def closed(client: ClientConnection) -> tuple[int | None, str | None]:
    """Receive what is left, and return how the session was closed."""
    with contextlib.suppress(ConnectionClosed):
        while True:
            await client.recv()
    return client.close_code, client.close_reason


async def set_up_and_wait(connection: ServerConnection) -> None:
    await set_up(connection)
    await connection.wait_closed()
