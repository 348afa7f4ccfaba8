"""Sessions whose callers lose their rights in the middle, from outside: OpenAI's and Google's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from .support import live, session
from .support.process import Deployment
from .support.session import CREATED, done, tell

Deploy = Callable[..., Deployment]

CONFIG = """
[auth.apikey]
[provider.up]
use = "openai"
base_url = "{url}"
api_key = "sk-not-a-real-key-of-the-operator"
[provider.google]
use = "gemini"
base_url = "{url}beta"
api_key = "AIza-not-a-real-key-of-the-operator"
"""

LOSSES = [
    (["keys", "revoke", "{id}"], "The API key was revoked.", "key_refused"),
    (["keys", "update", "{id}", "--model", "other/*"], "may not use the model", "model_not_allowed"),
    (["tenants", "suspend", "acme"], "The tenant of this account is suspended.", "tenant_suspended"),
    (None, "The API key has expired.", "key_refused"),
]


async def answer(connection: ServerConnection) -> None:
    """Begin like OpenAI, use some tokens, and wait."""
    await tell(connection, CREATED)
    await connection.recv()
    await tell(connection, done(10, 4))
    await connection.wait_closed()


def granted(served: Deployment, command: list[str] | None) -> dict[str, Any]:
    """Make a key of a tenant's; one that nothing is going to happen to expires soon."""
    served.command("tenants", "create", "acme")
    return served.key("--tenant", "acme", *([] if command else ["--expires", "3s"]))


async def lose(served: Deployment, command: list[str] | None, key: str) -> None:
    if command is not None:
        await asyncio.to_thread(served.command, *(word.format(id=key) for word in command))


@pytest.mark.parametrize(("command", "why", "code"), LOSSES)
async def test_a_session_of_openais_ends_with_an_error_and_is_billed(
    deploy: Deploy, command: list[str] | None, why: str, code: str
) -> None:
    async with session.service(answer) as upstream:
        served = deploy(CONFIG.format(url=upstream.url))
        key = granted(served, command)
        async with session.joining(served.url, key=key["key"]) as client:
            assert await session.heard(client) == CREATED
            await client.send('{"type": "response.create"}')
            assert (await session.heard(client))["type"] == "response.done"
            await lose(served, command, key["id"])
            async with asyncio.timeout(20):
                (event,), closed = await session.ending(client)
        row = served.settled()[0]
    assert (event["type"], event["error"]["code"], closed) == ("error", code, 1008)
    assert why in event["error"]["message"]
    assert (row["status"], row["error"]["code"], row["prompt_tokens"]) == ("failed", code, 10)


@pytest.mark.parametrize(("command", "why", "code"), LOSSES)
async def test_a_session_of_googles_is_closed_with_the_reason(
    deploy: Deploy, command: list[str] | None, why: str, code: str
) -> None:
    async with session.service(live.set_up_and_wait) as upstream:
        served = deploy(CONFIG.format(url=upstream.url))
        key = granted(served, command)
        async with live.joining(served, key["key"]) as client:
            await live.begin(client)
            await lose(served, command, key["id"])
            async with asyncio.timeout(20):
                closed, reason = await live.closed(client)
        row = served.settled()[0]
    assert (closed, why in (reason or "")) == (1008, True), reason
    assert (row["status"], row["error"]["code"]) == ("failed", code)


async def test_other_changes_leave_sessions_alone(deploy: Deploy) -> None:
    async with session.service(answer) as upstream:
        served = deploy(CONFIG.format(url=upstream.url))
        key, other, last = (served.key(name=name) for name in ("one", "other", "last"))
        async with (
            session.joining(served.url, key=key["key"]) as client,
            session.joining(served.url, key=other["key"]) as second,
            session.joining(served.url, key=last["key"]) as third,
        ):
            for one in (client, second, third):
                assert await session.heard(one) == CREATED
            await lose(served, ["keys", "update", "{id}", "--model", "up/*"], key["id"])
            await lose(served, ["keys", "revoke", "{id}"], other["id"])
            await session.ending(second)
            await lose(served, ["keys", "revoke", "{id}"], last["id"])
            await session.ending(third)  # all have been looked at twice since
            await client.send('{"type": "response.create"}')
            assert (await session.heard(client))["type"] == "response.done"
