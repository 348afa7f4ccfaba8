"""Google's official SDK talks over the Live API through TLS; the service is played with real frames."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trustme
from google import genai
from google.genai import errors, types
from websockets.asyncio.server import ServerConnection

from .support.live import (
    OWN_KEY,
    config,
    content,
    set_up,
    set_up_and_wait,
    spoken,
    tell,
    usage,
)
from .support.process import Deployment
from .support.session import service
from .support.tls import terminated

Deploy = Callable[..., Deployment]
Session = Any
"""`genai.live.AsyncSession`, whose methods have types that are partly unknown where Pillow is not installed."""
SOUND = bytes(range(256)) * 20


@asynccontextmanager
async def talking(
    served: Deployment, key: str, monkeypatch: pytest.MonkeyPatch, model: str, **how: Any
) -> AsyncGenerator[Session]:
    """Connect Google's SDK, which speaks nothing but TLS."""
    authority = trustme.CA()
    root = served.folder / "ca.pem"
    authority.cert_pem.write_to_path(root)
    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    async with terminated(served.port, authority) as url:
        options = types.HttpOptions(base_url=url, api_version=how.pop("version", "v1beta"))
        client = genai.Client(api_key=key, http_options=options)
        try:
            async with client.aio.live.connect(model=model, config=how or None) as session:  # pyright: ignore[reportUnknownMemberType,reportArgumentType]
                yield session
        finally:
            await client.aio.aclose()
            client.close()


async def test_the_sdk_talks_hears_calls_and_interrupts(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    setups: list[dict[str, Any]] = []
    heard: list[dict[str, Any]] = []

    async def play(connection: ServerConnection) -> None:
        setups.append(await set_up(connection))
        heard.append(json.loads(await connection.recv()))
        await tell(connection, serverContent=content({"text": "Grüße "}))
        await tell(
            connection, serverContent=content({"text": "✓"}, turnComplete=True), usageMetadata=usage(10, 4)
        )
        heard.append(json.loads(await connection.recv()))
        await tell(connection, serverContent=content(spoken(SOUND)))
        await tell(connection, serverContent={"interrupted": True})
        await tell(
            connection,
            serverContent={"turnComplete": True},
            usageMetadata=usage(40, 12, heard=20, spoken=9, thoughtsTokenCount=3),
        )
        heard.append(json.loads(await connection.recv()))
        call = {"id": "call-1", "name": "lamp", "args": {"on": True}}
        await tell(connection, toolCall={"functionCalls": [call]})
        heard.append(json.loads(await connection.recv()))
        done = usage(60, 5, cachedContentTokenCount=30)
        await tell(
            connection, serverContent=content({"text": "Done."}, turnComplete=True), usageMetadata=done
        )
        await connection.wait_closed()

    async with service(play) as upstream:
        served = deploy(config(upstream.url))
        key = served.key("--model", "google/talker")["key"]
        lamp: Any = [{"function_declarations": [{"name": "lamp"}]}]
        async with talking(served, key, monkeypatch, "google/talker", tools=lamp) as session:
            turn = types.Content(role="user", parts=[types.Part(text="Hello?")])
            await session.send_client_content(turns=turn)
            assert "".join([one.text async for one in session.receive()]) == "Grüße ✓"
            await session.send_realtime_input(audio=types.Blob(data=SOUND, mime_type="audio/pcm;rate=16000"))
            got = [one async for one in session.receive()]
            assert got[0].data == SOUND
            assert got[1].server_content.interrupted
            assert got[2].usage_metadata.response_token_count == 12
            await session.send_client_content(
                turns=types.Content(role="user", parts=[types.Part(text="Light!")])
            )
            asked = await anext(aiter(session.receive()))
            assert asked.tool_call.function_calls[0].args == {"on": True}
            await session.send_tool_response(
                function_responses=types.FunctionResponse(id="call-1", name="lamp", response={"ok": True})
            )
            assert (await anext(aiter(session.receive()))).text == "Done."
        call = served.settled()[0]
    (setup,) = setups
    assert setup["model"] == "models/talker", "as the service calls it"
    assert setup["tools"][0]["functionDeclarations"][0]["name"] == "lamp"
    assert heard[0]["client_content"]["turns"][0]["parts"][0]["text"] == "Hello?"
    assert base64.urlsafe_b64decode(heard[1]["realtime_input"]["audio"]["data"]) == SOUND
    assert heard[3]["tool_response"]["functionResponses"][0]["response"] == {"ok": True}
    (request,) = upstream.requests
    assert request.path == "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
    assert request.headers["x-goog-api-key"] == OWN_KEY
    assert key not in str(request.headers)
    assert (call["capability"], call["status"], call["model"]) == ("realtime", "success", "google/talker")
    assert (call["provider"], call["upstream_model"], call["http_status"]) == ("google", "talker", 101)
    assert (call["prompt_tokens"], call["completion_tokens"]) == (110, 24)
    assert (call["cached_read_tokens"], call["reasoning_tokens"], call["estimated"]) == (30, 3, False)


async def test_the_sdk_hears_why_it_is_refused(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    async with service(set_up_and_wait) as upstream:
        served = deploy(config(upstream.url))
        key = served.key("--model", "google/talker")["key"]
        for shown, model, code, reason in (
            ("gw_wrong", "google/talker", 1008, "Incorrect API key"),
            (key, "google/another", 1008, "may not use the model"),
            (key, "no-such", 1008, "may not use the model"),
        ):
            with pytest.raises(errors.APIError) as refused:
                async with talking(served, shown, monkeypatch, model):
                    pass
            assert refused.value.code == code
            assert reason in str(refused.value)
        assert not upstream.requests
    assert "gw_wrong" not in served.text()


async def test_the_sdk_hears_how_the_service_ends_it(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(connection: ServerConnection) -> None:
        await set_up(connection)
        await connection.recv()
        await tell(connection, serverContent=content({"text": "x" * 38}))
        await connection.close(1011, f"Internal error occurred for {OWN_KEY}.")

    async with service(play) as upstream:
        served = deploy(config(upstream.url))
        async with talking(served, served.key()["key"], monkeypatch, "google/talker") as session:
            await session.send_client_content(turns=types.Content(role="user", parts=[types.Part(text="Hi")]))
            with pytest.raises(errors.APIError) as ended:
                async for _ in session.receive():
                    pass
        call = served.settled()[0]
    assert ended.value.code == 1011
    assert "Internal error occurred for [redacted]" in str(ended.value)
    assert (call["status"], call["error"]["code"], call["estimated"]) == ("failed", "upstream_closed", True)
    assert call["completion_tokens"] == 10
