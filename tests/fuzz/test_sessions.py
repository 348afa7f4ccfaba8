"""Realtime sessions: whatever frames a client and a service send each other, each session ends, and is one call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from gateway import Gateway
from gateway.testing.fakes import plugin_with
from gateway.types import Call, Outcome
from gateway.wire.gemini_live import live_path

from .amount import amount
from .mutations import mutated_bytes
from .served import Served, serving

EVENTS: list[dict[str, Any]] = [
    {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}},
    {
        "type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi."}]},
    },
    {"type": "response.create"},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {
        "type": "response.done",
        "response": {"id": "r", "usage": {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}},
    },
    {"type": "error", "error": {"type": "server_error", "message": "No."}},
]
TEXTS = st.one_of(
    st.sampled_from([json.dumps(event) for event in EVENTS]),
    st.sampled_from(EVENTS)
    .flatmap(lambda event: mutated_bytes(json.dumps(event).encode()))
    .map(lambda data: data.decode(errors="replace")),
    st.sampled_from(["", "{", "null", "[]", "\x00", "é\u2028🦊", "x" * 300_000, "[" * 5000]),
)
ENDINGS = st.sampled_from(["close:1000", "close:1011", "close:3000", "close:4999", "cut"])
FRAMES = st.one_of(TEXTS, TEXTS, st.binary(max_size=40), ENDINGS)
"""What a client sends; the service behind sends each back, and ends where it is told to."""
QUERIES = st.sampled_from(
    [
        *(b"model=up/m", b"model=mock/echo") * 4,
        b"",
        b"model=",
        b"model=nobody/x",
        b"deployment=up/m",
        b"model=%ff",
        b"&&=",
    ]
)
PROTOCOLS = st.lists(
    st.sampled_from(["realtime", "openai-insecure-api-key.gw_x", "openai-beta.realtime-v1", "", "x" * 3000]),
    max_size=3,
)
LIVE: list[dict[str, Any]] = [
    {"setup": {"model": "models/google/m"}},
    {"setup": {"model": "models/mock/echo", "generationConfig": {"responseModalities": ["TEXT"]}}},
    {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "Hi."}]}], "turnComplete": True}},
    {"realtimeInput": {"audio": {"mimeType": "audio/pcm", "data": "AAAA"}}},
    {"serverContent": {"modelTurn": {"parts": [{"text": "Hi."}, {"inlineData": {"data": "AAAA"}}]}}},
    {"toolCall": {"functionCalls": [{"name": "f"}]}},
    {
        "serverContent": {"turnComplete": True, "groundingMetadata": {"webSearchQueries": ["a"]}},
        "usageMetadata": {"promptTokenCount": 5, "responseTokenCount": 3},
    },
]
LIVE_TEXTS = st.one_of(
    st.sampled_from([json.dumps(message) for message in LIVE]),
    st.sampled_from(LIVE)
    .flatmap(lambda message: mutated_bytes(json.dumps(message).encode()))
    .map(lambda data: data.decode(errors="replace")),
)
LIVE_FRAMES = st.one_of(LIVE_TEXTS, LIVE_TEXTS, FRAMES)
FIRST = st.one_of(st.just(json.dumps(LIVE[0])), st.just(json.dumps(LIVE[0])), LIVE_FRAMES)
LIVE_PATH = live_path("v1beta")
LONGEST = 20.0
"""Seconds that a session may take to end once its client has gone."""


class Session(Struct):
    """What the gateway sent to one client."""

    accepted: bool = False
    refused: int = 0
    closed: int | None = None
    frames: int = 0


class Watch:
    def __init__(self) -> None:
        self.ended: list[Outcome] = []

    def finished(self, call: Call, outcome: Outcome) -> None:
        assert call.capability == "realtime"
        self.ended.append(outcome)


async def back(connection: ServerConnection) -> None:
    """Send everything back as it came; a message `close:CODE` ends the session so, `cut` without a word."""
    with suppress(ConnectionClosed):
        await connection.send('{"type":"session.created"}')
        async for message in connection:
            if message == "cut":
                connection.transport.abort()
            elif isinstance(message, str) and message.startswith("close:"):
                await connection.close(int(message[6:]))
            else:
                await connection.send(message)


async def back_like_google(connection: ServerConnection) -> None:
    """Do the same once there was a setup."""
    with suppress(ConnectionClosed):
        await connection.recv()
        await back(connection)


@asynccontextmanager
async def listening(handler: Callable[[ServerConnection], Awaitable[None]]) -> AsyncGenerator[Server]:
    async with serve(handler, "127.0.0.1", 0, max_size=None) as server:
        yield server


@pytest.fixture(scope="module")
def room() -> Iterator[tuple[Served, Watch]]:
    watch = Watch()
    plugin = plugin_with("middleware.watch", register_interceptors=[watch])
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(listening(back)) as server,
        portal.wrap_async_context_manager(listening(back_like_google)) as googles,
    ):
        up = {"use": "openai", "base_url": f"{address(server)}/v1", "api_key": "sk-not-a-real-key-00"}
        google = {"use": "gemini", "base_url": f"{address(googles)}/v1beta", "api_key": "AIza-not-a-real-key"}
        providers = {"mock": {}, "up": up, "google": google}
        with serving({"provider": providers, "middleware": {"watch": {}}}, [plugin]) as served:
            yield served, watch


def address(server: Server) -> str:
    return f"http://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def talk(
    gateway: Gateway,
    query: bytes,
    protocols: list[str],
    frames: list[str | bytes],
    *,
    silent: bool,
    code: int,
    path: str = "/v1/realtime",
) -> Session:
    """Open a session, send frames, and leave; a silent client never says that it has left, and is only told to go."""
    session = Session()
    over = asyncio.Event()
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "websocket.connect"})

    async def send(message: Any) -> None:
        match message["type"]:
            case "websocket.accept":
                assert not session.accepted
                assert not session.refused
                session.accepted = True
                for frame in frames:
                    kind = "text" if isinstance(frame, str) else "bytes"
                    incoming.put_nowait({"type": "websocket.receive", kind: frame})
                if not silent:
                    incoming.put_nowait({"type": "websocket.disconnect", "code": code})
            case "websocket.http.response.start":
                assert not session.accepted
                session.refused = message["status"]
            case "websocket.http.response.body":
                assert session.refused
                assert "error" in json.loads(message["body"])
            case "websocket.send":
                assert session.accepted
                assert session.closed is None
                if path == LIVE_PATH:
                    assert isinstance(message["bytes"], bytes)
                else:
                    assert isinstance(message["text"], str)
                session.frames += 1
            case "websocket.close":
                session.closed = message["code"]
                assert len(message["reason"].encode()) <= 123
                over.set()
                incoming.put_nowait({"type": "websocket.disconnect", "code": message["code"]})
            case other:
                raise AssertionError(other)

    scope: dict[str, Any] = {
        "type": "websocket",
        "asgi": {"version": "3.0"},
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"gateway")],
        "subprotocols": protocols,
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
        "extensions": {"websocket.http.response": {}},
    }
    async with asyncio.timeout(LONGEST):
        await gateway(scope, incoming.get, send)
    return session


@amount(150)
@given(
    query=QUERIES,
    protocols=PROTOCOLS,
    frames=st.lists(FRAMES, max_size=8),
    last=ENDINGS,
    silent=st.booleans(),
    code=st.sampled_from([1000, 1001, 1005, 1006, 1011, 4000]),
)
def test_whatever_is_said_the_session_ends_and_is_one_call(
    room: tuple[Served, Watch],
    query: bytes,
    protocols: list[str],
    frames: list[str | bytes],
    last: str,
    silent: bool,
    code: int,
) -> None:
    served, watch = room
    before = len(watch.ended)
    silent = silent and b"up/m" in query  # the mock ends no session by itself
    sent = [*frames, last] if silent else frames

    async def run() -> Session:
        return await talk(served.gateway, query, protocols, sent, silent=silent, code=code)

    session = served.portal.call(run)
    ended = watch.ended[before:]
    if session.accepted:
        assert len(ended) == 1
        assert ended[0].status in {"success", "failed", "cancelled"}
        assert ended[0].usage is not None
        if silent:
            assert session.closed is not None
    else:
        assert 400 <= session.refused < 500 or session.refused in {502, 503}, session
        assert len(ended) <= 1
    assert not [line for line in served.log.lines if "Traceback" in line or "internal error" in line], (
        served.log.lines
    )


@amount(150)
@given(
    query=st.sampled_from([b"", b"key=x", b"%ff&key=", b"&&="]),
    first=FIRST,
    frames=st.lists(LIVE_FRAMES, max_size=8),
    last=ENDINGS,
    silent=st.booleans(),
    code=st.sampled_from([1000, 1001, 1005, 1006, 1011, 4000]),
)
def test_whatever_is_said_in_googles_words_the_session_ends_and_is_one_call(
    room: tuple[Served, Watch],
    query: bytes,
    first: str | bytes,
    frames: list[str | bytes],
    last: str,
    silent: bool,
    code: int,
) -> None:
    served, watch = room
    before = len(watch.ended)
    sent = [first, *frames, last] if silent else [first, *frames]

    async def run() -> Session:
        return await talk(served.gateway, query, [], sent, silent=silent, code=code, path=LIVE_PATH)

    session = served.portal.call(run)
    ended = watch.ended[before:]
    assert session.accepted, "whatever is wrong is told by how it is closed"
    assert len(ended) <= 1
    assert all(one.status in {"success", "failed", "cancelled"} for one in ended)
    if silent:
        assert session.closed is not None
    assert not [line for line in served.log.lines if "Traceback" in line or "internal error" in line], (
        served.log.lines
    )
