"""Requests to Converse as they go out, and errors as they come back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from gateway.errors import ProviderError
from gateway.testing.upstream import FakeUpstream, Reply, UpstreamRequest
from gateway_bedrock.provider import BedrockProvider
from gateway_bedrock.sigv4 import Signer

JSON = {"content-type": "application/json"}
ANSWER = Reply(
    headers={**JSON, "x-amzn-requestid": "r-1", "x-amzn-account": "12"},
    parts=[
        b'{"output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}}, "stopReason": "end_turn"}'
    ],
)
Make = Callable[..., BedrockProvider]


def refused(status: int, kind: str, body: bytes = b'{"message": "No."}') -> Reply:
    return Reply(status=status, headers={**JSON, "x-amzn-errortype": kind}, parts=[body])


def is_signed(request: UpstreamRequest, token: str | None = None) -> bool:
    """Do what Bedrock does: sign what arrived with the secret that both know, and compare."""
    names = re.search(r"SignedHeaders=([^,]+)", request.headers["authorization"])
    assert names is not None
    signed = {name: request.headers[name] for name in names[1].split(";") if not name.startswith("x-amz-")}
    assert {"host", "content-type"} <= set(signed)
    moment = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - moment).total_seconds()) < 60
    signer = Signer(
        "not-a-real-key-id", "not-a-real-secret-access-key", token, region="us-east-1", service="bedrock"
    )
    added = dict(signer.sign(request.method, request.path, signed, request.body, now=moment.timestamp()))
    return added[b"authorization"].decode() == request.headers["authorization"]


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("amazon.nova-lite-v1:0", "/model/amazon.nova-lite-v1%3A0"),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-lite-v1:0",
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0",
        ),
        ("../x?y#z ä", "/model/..%2Fx%3Fy%23z%20%C3%A4"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_model_stands_in_the_path_and_all_is_signed(
    provider: Make, upstream: FakeUpstream, chat: Any, model: str, path: str, stream: bool
) -> None:
    stream_reply = Reply(headers={"content-type": "application/vnd.amazon.eventstream"})
    upstream.reply(stream_reply if stream else ANSWER)
    answer = await provider().send(chat(model=model, stream=stream))
    if answer.stream is not None:
        assert [chunk async for chunk in answer.stream] == []
    (request,) = upstream.requests
    assert request.path == path + ("/converse-stream" if stream else "/converse")
    assert is_signed(request)
    assert msgspec.json.decode(request.body) == {"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}


async def test_a_signature_covers_path_body_and_session(
    provider: Make, upstream: FakeUpstream, chat: Any
) -> None:
    upstream.reply(ANSWER)
    settings = {"access_key_id": "not-a-real-key-id", "secret_access_key": "not-a-real-secret-access-key"}
    await provider(**settings, session_token="not-a-real-token").send(chat())
    (request,) = upstream.requests
    assert request.headers["x-amz-security-token"] == "not-a-real-token"
    assert is_signed(request, "not-a-real-token")
    assert not is_signed(request)
    for change in ({"path": "/model/other/converse"}, {"body": b"{}"}, {"method": "PUT"}):
        assert not is_signed(msgspec.structs.replace(request, **change), "not-a-real-token")


async def test_a_path_in_the_base_url_is_signed_too(
    provider: Make, upstream: FakeUpstream, chat: Any
) -> None:
    upstream.reply(ANSWER)
    settings = {"access_key_id": "not-a-real-key-id", "secret_access_key": "not-a-real-secret-access-key"}
    await provider(**settings, base_url=f"{upstream.url}/proxy").send(chat())
    (request,) = upstream.requests
    assert request.path.startswith("/proxy/model/")
    assert is_signed(request)


async def test_an_api_key_is_sent_as_it_is(provider: Make, upstream: FakeUpstream, chat: Any) -> None:
    upstream.reply(ANSWER)
    answer = await provider(api_key="not-a-real-key", headers={"X-Team": "a"}).send(chat())
    (request,) = upstream.requests
    assert request.headers["authorization"] == "Bearer not-a-real-key"
    assert request.headers["x-team"] == "a"
    assert "x-amz-date" not in request.headers
    assert dict(answer.headers) == {b"content-type": b"application/json", b"x-amzn-requestid": b"r-1"}


@pytest.mark.parametrize(
    ("reply", "status", "code", "message", "falls_back"),
    [
        (
            refused(429, "ThrottlingException:http://internal.amazon.com/"),
            429,
            "ThrottlingException",
            "No.",
            True,
        ),
        (refused(400, "ValidationException"), 400, "ValidationException", "No.", False),
        (refused(424, "ModelErrorException"), 424, "ModelErrorException", "No.", True),
        (
            refused(403, "AccessDeniedException", b'{"Message": "Not for not-a-real-secret-access-key"}'),
            403,
            "AccessDeniedException",
            "Not for [redacted]",
            True,
        ),
    ],
)
async def test_errors_keep_their_names(
    provider: Make,
    upstream: FakeUpstream,
    chat: Any,
    reply: Reply,
    status: int,
    code: str,
    message: str,
    falls_back: bool,
) -> None:
    upstream.reply(reply)
    with pytest.raises(ProviderError) as caught:
        await provider().send(chat())
    error = caught.value
    assert (error.status, error.code, error.message, error.can_fall_back) == (
        status,
        code,
        message,
        falls_back,
    )


async def test_keys_and_an_access_key_take_turns(provider: Make, upstream: FakeUpstream, chat: Any) -> None:
    upstream.reply(ANSWER)
    made = provider(
        api_key="not-a-real-key",
        access_key_id="not-a-real-key-id",
        secret_access_key="not-a-real-secret-access-key",
    )
    await made.send(chat())
    await made.send(chat())
    kinds = {request.headers["authorization"].partition(" ")[0] for request in upstream.requests}
    assert kinds == {"Bearer", "AWS4-HMAC-SHA256"}


async def test_names_of_models_do_not_fill_the_memory(
    provider: Make, upstream: FakeUpstream, chat: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway_bedrock.provider._HEADS", 2)
    upstream.reply(ANSWER)
    made = provider()
    for number in range(5):
        await made.send(chat(model=f"m{number}"))
    (credential,) = made.credentials
    assert len(credential.prepared) <= 2


async def test_check(provider: Make, upstream: FakeUpstream) -> None:
    upstream.reply(refused(400, "ValidationException"))
    await provider(api_keys=["not-a-real-key-1", "not-a-real-key-2"], models=["m"]).check()
    assert [request.path for request in upstream.requests] == ["/model/m/converse"] * 2


async def test_check_of_a_bad_credential(provider: Make, upstream: FakeUpstream) -> None:
    upstream.reply(refused(403, "UnrecognizedClientException"))
    with pytest.raises(ProviderError) as caught:
        await provider().check()
    assert caught.value.code == "UnrecognizedClientException"
