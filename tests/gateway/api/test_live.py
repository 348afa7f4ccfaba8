"""Clients of Gemini's Live API that never say what they want."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway import Gateway
from gateway.api import live
from gateway.wire.gemini_live import live_path


@pytest.mark.parametrize(
    ("auth", "patience", "code", "reason"),
    [
        ({}, "SETUP_SECONDS", 1001, "No setup came within 0.05 seconds."),
        ({"apikey": {}}, "REFUSED_SECONDS", 1008, "No API key was provided."),
    ],
)
async def test_a_client_that_is_silent_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth: Any, patience: str, code: int, reason: str
) -> None:
    monkeypatch.setattr(live, patience, 0.05)
    gateway = Gateway.from_dict(
        {
            "gateway": {"database": f"sqlite:///{tmp_path / 'gateway.db'}"},
            "auth": auth,
            "provider": {"mock": {}},
        }
    )
    incoming: asyncio.Queue[Any] = asyncio.Queue()
    incoming.put_nowait({"type": "websocket.connect"})
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    path = live_path("v1beta")
    scope: dict[str, Any] = {
        "type": "websocket",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"gateway")],
        "client": ("127.0.0.1", 1),
    }
    async with gateway.lifespan(), asyncio.timeout(30):
        await gateway(scope, incoming.get, send)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == code
    assert sent[-1]["reason"].startswith(reason)
