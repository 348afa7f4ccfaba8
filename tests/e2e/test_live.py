"""Gemini's Live API from outside, without an SDK: refusals, versions, limits, and a service that cuts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .support.live import (
    begin,
    closed,
    config,
    content,
    joining,
    set_up,
    set_up_and_wait,
    tell,
)
from .support.process import Deployment, until
from .support.session import service

Deploy = Callable[..., Deployment]


async def test_frames_pass_untouched_in_the_version_of_the_client(deploy: Deploy) -> None:
    async def echo(connection: ServerConnection) -> None:
        await set_up(connection)
        async for message in connection:
            await connection.send(message)

    async with service(echo) as upstream:
        served = deploy(config(upstream.url))
        key = served.key()["key"]
        message = json.dumps({"newField": [1.50, None], "text": "né \u2028 ✓"})
        async with joining(served, None, version="v1alpha", query=f"?key={key}&alt=ws") as client:
            # All at once: a client need not wait for its setup.
            await client.send(json.dumps({"setup": {"model": "models/google/talker", "other": {"a": 1}}}))
            await client.send(message)
            await client.send(message.encode())
            assert json.loads(await client.recv()) == {"setupComplete": {}}
            assert [await client.recv(), await client.recv()] == [message.encode()] * 2
        served.settled()
    (request,) = upstream.requests
    assert request.path == "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContent"
    assert key not in request.path + str(request.headers) + served.text()


@pytest.mark.parametrize(
    ("first", "code", "reason"),
    [
        ("{not json", 1007, "not valid JSON"),
        ('{"clientContent": {}}', 1007, "first message must be a 'setup'"),
        ('{"setup": {}}', 1007, "Missing required parameter: 'model'"),
        ('{"setup": {"model": "models/"}}', 1007, "must name a model"),
        ('{"setup": {"model": "models/none/such"}}', 1008, "does not exist"),
        ('{"setup": {"model": "models/mock/echo"}}', 1007, "cannot be used for realtime"),
        (
            '{"setup": {"model": "models/google/x", "a": "' + "x" * 100_000 + '"}}',
            1007,
            "larger than the 100000",
        ),
        ('{"setup": {"model": "models/google/x"}}', 1011, "could not be reached"),
    ],
)
async def test_what_cannot_begin_is_told_by_how_it_is_closed(
    deploy: Deploy, first: str, code: int, reason: str
) -> None:
    served = deploy(config())
    async with joining(served, served.key()["key"]) as client:
        await client.send(first)
        got, why = await closed(client)
    assert (got, reason in (why or "")) == (code, True), why


async def test_plain_http_and_other_methods(deploy: Deploy) -> None:
    served = deploy(config())
    with pytest.raises(InvalidStatus):
        await connect(
            f"ws://127.0.0.1:{served.port}/ws/google.ai.generativelanguage.v1beta.Other", proxy=None
        )
    async with joining(served, None) as client:
        await client.send('{"setup": {"model": "models/google/talker"}}')
        assert await closed(client) == (
            1008,
            "No API key was provided. Send it in the Authorization header: 'Authorization: Bearer YOUR_KEY'.",
        )


async def test_the_next_key_and_the_next_target_are_tried(deploy: Deploy) -> None:
    async def picky(connection: ServerConnection) -> None:
        assert connection.request is not None
        key = connection.request.headers["x-goog-api-key"]
        model = json.loads(await connection.recv())["setup"]["model"]
        if key.endswith("bad-one"):
            await connection.close(1007, "API key not valid. Please pass a valid API key.")
        elif model == "models/busy":
            await connection.close(1011, "You exceeded your current quota.")
        elif model == "models/old":
            await connection.close(1008, "models/old is not found for API version v1beta")
        else:
            await tell(connection, setupComplete={})
            await connection.wait_closed()

    more = '[models.talker]\ntargets = ["google:busy", "google:free"]\n'
    async with service(picky) as upstream:
        served = deploy(
            config(upstream.url, keys='api_keys = ["AIza-fake-bad-one", "AIza-fake-good-one"]', more=more)
        )
        key = served.key()["key"]
        async with joining(served, key) as client:
            assert await begin(client, "talker") == {"setupComplete": {}}
        async with joining(served, key) as client:
            await client.send('{"setup": {"model": "models/google/old"}}')
            assert await closed(client) == (1008, "models/old is not found for API version v1beta")
        rows = until(
            lambda: [c for c in served.calls() if c["status"] != "processing"][1:] and served.calls()
        )
    assert {(row["model"], row["status"], row["attempts"]) for row in rows} == {
        ("talker", "success", 2),
        ("google/old", "failed", 1),
    }


async def test_a_service_that_breaks_off(deploy: Deploy) -> None:
    async def cut(connection: ServerConnection) -> None:
        await set_up(connection)
        await connection.recv()
        connection.transport.abort()

    async with service(cut) as upstream:
        served = deploy(config(upstream.url))
        key = served.key()["key"]
        async with joining(served, key) as client:
            await begin(client)
            await client.send("{}")
            assert await closed(client) == (1011, "The provider 'google' broke the session off.")
        assert served.settled()[0]["error"]["code"] == "upstream_cut"


async def test_a_session_has_an_end(deploy: Deploy) -> None:
    async with service(set_up_and_wait) as upstream:
        served = deploy(config(upstream.url, session=3))
        async with joining(served, served.key()["key"]) as client:
            await begin(client)
            code, why = await closed(client)
            assert (code, "reached its end" in (why or "")) == (1001, True)
        assert served.settled()[0]["error"]["code"] == "session_expired"


async def test_limits_and_credits_hold(deploy: Deploy) -> None:
    more = "[middleware.ratelimit]\nrequests_per_minute = 1\n"
    async with service(set_up_and_wait) as upstream:
        served = deploy(config(upstream.url, more=more))
        key = served.key()["key"]
        async with joining(served, key) as client:
            await begin(client)
        async with joining(served, key) as client:
            await client.send('{"setup": {"model": "models/google/talker"}}')
            code, why = await closed(client)
            assert (code, "limit" in (why or "").lower()) == (1011, True), why
        billed = deploy(config(upstream.url, more="[billing.credits]\n"))
        async with joining(billed, billed.key()["key"]) as client:
            await client.send('{"setup": {"model": "models/google/gemini-3.8-live"}}')
            code, why = await closed(client)
            assert (code, "credit" in (why or "").lower()) == (1008, True), why
        assert len(upstream.requests) == 1


async def test_files_of_others_are_not_named(deploy: Deploy) -> None:
    heard: list[str | bytes] = []

    async def play(connection: ServerConnection) -> None:
        await set_up(connection)
        async for message in connection:
            heard.append(message)
            await tell(connection, serverContent=content({"text": "I see."}, turnComplete=True))

    def about(uri: str) -> str:
        parts = [{"fileData": {"fileUri": uri, "mimeType": "video/mp4"}}]
        return json.dumps({"clientContent": {"turns": [{"role": "user", "parts": parts}]}})

    file = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    async with service(play) as upstream:
        served = deploy(config(upstream.url, more='[gateway.files]\ngoogle = "google"\n'))
        key = served.key()["key"]
        async with joining(served, key) as client:
            await begin(client)
            await client.send(about("https://www.youtube.com/watch?v=abc"))
            await client.recv()
            await client.send(about(file).encode())
            assert await closed(client) == (1008, "There is no 'files/abc', or it is not yours.")
        async with joining(served, key) as client:
            setup = {"model": "models/google/talker", "systemInstruction": json.loads(about(file))}
            await client.send(json.dumps({"setup": setup}))
            assert await closed(client) == (1008, "There is no 'files/abc', or it is not yours.")
        rows = served.settled()
    assert len(heard) == 1
    assert {row["status"] for row in rows} == {"success", "failed"}


async def test_a_revoked_key_opens_no_session(deploy: Deploy) -> None:
    async with service(set_up_and_wait) as upstream:
        served = deploy(config(upstream.url))
        made = served.key()
        served.command("keys", "revoke", made["id"])

        async def refused() -> bool:
            async with joining(served, made["key"]) as client:
                await client.send('{"setup": {"model": "models/google/talker"}}')
                with contextlib.suppress(ConnectionClosed):
                    await client.recv()
                    return False
                return client.close_code == 1008

        async with asyncio.timeout(30):
            while not await refused():
                pass


async def test_frames_that_are_too_large_end_it(deploy: Deploy) -> None:
    async def flood(connection: ServerConnection) -> None:
        await set_up(connection)
        await connection.recv()
        await connection.send(b" " * (17 * 2**20))
        await connection.wait_closed()

    async with service(flood) as upstream:
        served = deploy(config(upstream.url))
        key = served.key()["key"]
        async with joining(served, key) as client:
            await begin(client)
            with contextlib.suppress(ConnectionClosed):
                await client.send("x" * (17 * 2**20))
            assert (await closed(client))[0] == 1009
        async with joining(served, key, max_size=None) as client:
            await begin(client)
            await client.send("{}")
            assert (await closed(client))[0] == 1011
        assert {row["status"] for row in served.settled()} <= {"cancelled", "failed", "success"}


async def test_sigterm_ends_sessions(deploy: Deploy) -> None:
    async with service(set_up_and_wait) as upstream:
        served = deploy(config(upstream.url, drain=0.3))
        async with joining(served, served.key()["key"]) as client:
            await begin(client)
            stopping = asyncio.create_task(asyncio.to_thread(served.stop))
            assert await closed(client) == (1012, "The gateway was shut down.")
            assert await stopping == 0
    assert served.calls()[0]["error"]["code"] == "shutdown"
