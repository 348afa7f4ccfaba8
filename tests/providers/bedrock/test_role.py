"""Access keys of an instance's role."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.errors import ProviderError
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_bedrock.provider import BedrockProvider

Make = Callable[..., BedrockProvider]
ANSWER = Reply(
    headers={"content-type": "application/json"},
    parts=[b'{"output": {"message": {"role": "assistant", "content": []}}, "stopReason": "end_turn"}'],
)


def keys(name: str, *, minutes: int = 60) -> list[Reply]:
    expiration = datetime.now(UTC) + timedelta(minutes=minutes)
    body = {
        "Code": "Success",
        "AccessKeyId": name,
        "SecretAccessKey": "not-a-real-secret",
        "Token": f"not-a-real-token-of-{name}",
        "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return [
        Reply(parts=[b"not-a-real-session"]),
        Reply(parts=[b"a-role\n"]),
        Reply(parts=[json.dumps(body).encode()]),
    ]


@pytest.fixture
async def metadata() -> AsyncGenerator[FakeUpstream]:
    """The metadata service of an instance."""
    async with FakeUpstream() as server:
        yield server


async def test_requests_are_signed_with_the_keys_of_the_role(
    provider: Make, upstream: FakeUpstream, metadata: FakeUpstream, chat: Any
) -> None:
    metadata.reply(*keys("ASIA1"))
    upstream.reply(ANSWER)
    made = provider(instance_role=True, metadata_url=metadata.url)
    await made.send(chat())
    await made.send(chat())
    asked = [(request.method, request.path) for request in metadata.requests]
    assert asked == [
        ("PUT", "/latest/api/token"),
        ("GET", "/latest/meta-data/iam/security-credentials/"),
        ("GET", "/latest/meta-data/iam/security-credentials/a-role"),
    ]
    assert metadata.requests[0].headers["x-aws-ec2-metadata-token-ttl-seconds"] == "300"
    assert metadata.requests[2].headers["x-aws-ec2-metadata-token"] == "not-a-real-session"
    for request in upstream.requests:
        assert "Credential=ASIA1/" in request.headers["authorization"]
        assert request.headers["x-amz-security-token"] == "not-a-real-token-of-ASIA1"


async def test_keys_are_renewed(
    provider: Make,
    upstream: FakeUpstream,
    metadata: FakeUpstream,
    chat: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    for module in ("gateway.provider.service", "gateway.provider.renewal"):
        monkeypatch.setattr(f"{module}.time.monotonic", lambda: clock[0])
    metadata.reply(*keys("ASIA1"), *keys("ASIA2"))
    upstream.reply(ANSWER)
    made = provider(instance_role=True, metadata_url=metadata.url)
    await made.send(chat())
    clock[0] += 55 * 60 + 1
    await made.send(chat())
    used = [request.headers["x-amz-security-token"][-5:] for request in upstream.requests]
    assert used == ["ASIA1", "ASIA2"]


@pytest.mark.parametrize(
    ("replies", "why"),
    [
        ([Reply(status=403)], "status 403 for /latest/api/token"),
        ([Reply(parts=[b"s"]), Reply(status=404)], "status 404"),
        ([Reply(parts=[b"s"]), Reply(parts=[b"r"]), Reply(parts=[b'{"Code": "Failed"}'])], "no access key"),
    ],
)
async def test_no_keys(
    provider: Make, metadata: FakeUpstream, chat: Any, replies: list[Reply], why: str
) -> None:
    metadata.reply(*replies)
    with pytest.raises(ProviderError, match=why) as caught:
        await provider(instance_role=True, metadata_url=metadata.url).send(chat())
    assert (caught.value.status, caught.value.code) == (502, "upstream_authentication")
