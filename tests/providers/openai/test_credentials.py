"""Several keys: used in turn, and resting after a refusal."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import pytest

from gateway.errors import ProviderError
from gateway.testing.upstream import FakeUpstream, Reply

JSON = {"content-type": "application/json"}
GOOD = Reply(headers=JSON, parts=[b'{"choices": []}'])


def refused(status: int = 429, message: str = "No.", headers: Mapping[str, str] | None = None) -> Reply:
    fields = {**JSON, **(headers or {})}
    return Reply(status=status, headers=fields, parts=[b'{"error": {"message": "%s"}}' % message.encode()])


def used(upstream: FakeUpstream) -> list[str]:
    return [request.headers["authorization"].removeprefix("Bearer ") for request in upstream.requests]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that rests are measured with."""
    clock = [1000.0]
    monkeypatch.setattr("gateway.provider.credentials.time.monotonic", lambda: clock[0])
    return clock


@pytest.fixture
def provider(plugin: Any) -> Any:
    (provider,) = plugin(api_keys=["a", "b", "c"]).register_providers()
    return provider


async def test_keys_take_turns(provider: Any, upstream: FakeUpstream, attempt: Any):
    upstream.reply(GOOD)
    for _ in range(6):
        await provider.send(attempt("hi"))
    assert sorted(used(upstream)[:3]) == ["a", "b", "c"]
    assert used(upstream)[:3] == used(upstream)[3:]


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_another_key_is_tried_within_the_attempt(
    provider: Any, upstream: FakeUpstream, attempt: Any, status: int, now: list[float]
):
    upstream.reply(refused(status), GOOD)
    answer = await provider.send(attempt("hi"))
    assert answer.status == 200
    first, second = used(upstream)
    assert first != second
    for _ in range(5):
        await provider.send(attempt("hi"))
    assert first not in used(upstream)[2:]  # it rests
    now[0] += 30
    for _ in range(3):
        await provider.send(attempt("hi"))
    assert first in used(upstream)[7:]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "5"}, 5),
        ({"retry-after-ms": "2500", "retry-after": "9"}, 2.5),
        ({"retry-after": "nan"}, 30),
        ({"retry-after": "soon"}, 30),
        ({"retry-after": "999999999"}, 3600),
    ],
    ids=str,
)
async def test_a_key_rests_as_long_as_the_service_says(
    plugin: Any,
    upstream: FakeUpstream,
    attempt: Any,
    now: list[float],
    headers: dict[str, str],
    seconds: float,
):
    (provider,) = plugin(api_keys=["a", "b"]).register_providers()
    upstream.reply(refused(headers=headers), GOOD)
    await provider.send(attempt("hi"))
    tired = used(upstream)[0]
    now[0] += seconds - 0.01
    await provider.send(attempt("hi"))
    await provider.send(attempt("hi"))
    assert tired not in used(upstream)[1:]
    now[0] += 0.02
    await provider.send(attempt("hi"))
    await provider.send(attempt("hi"))
    assert tired in used(upstream)[-2:]


async def test_retry_after_may_be_a_date(plugin: Any, upstream: FakeUpstream, attempt: Any, now: list[float]):
    (provider,) = plugin(api_keys=["a", "b"]).register_providers()
    upstream.reply(refused(headers={"retry-after": formatdate(time.time() + 600, usegmt=True)}), GOOD)
    await provider.send(attempt("hi"))
    now[0] += 500
    await provider.send(attempt("hi"))
    await provider.send(attempt("hi"))
    assert used(upstream)[0] not in used(upstream)[1:]


async def test_when_all_are_refused_the_service_has_the_last_word(
    provider: Any, upstream: FakeUpstream, attempt: Any, now: list[float]
):
    upstream.reply(
        refused(headers={"retry-after": "9"}), refused(headers={"retry-after": "2"}), refused(401, "gone")
    )
    with pytest.raises(ProviderError, match="gone") as caught:
        await provider.send(attempt("hi"))
    assert caught.value.status == 401
    assert sorted(used(upstream)) == ["a", "b", "c"]
    assert now == [1000.0]
    upstream.reply(GOOD)
    with pytest.raises(ProviderError):
        await provider.send(attempt("hi"))  # the one that rests shortest is asked all the same
    assert used(upstream)[3] == used(upstream)[1]
    assert len(used(upstream)) == 4


async def test_a_single_key_is_never_locked_out(plugin: Any, upstream: FakeUpstream, attempt: Any):
    (provider,) = plugin(api_key="only").register_providers()
    upstream.reply(refused(), GOOD)
    with pytest.raises(ProviderError):
        await provider.send(attempt("hi"))
    assert (await provider.send(attempt("hi"))).status == 200


async def test_a_refusal_of_the_content_is_no_fault_of_the_key(
    provider: Any, upstream: FakeUpstream, attempt: Any
):
    upstream.reply(refused(403, "Your input was flagged by moderation."), GOOD)
    with pytest.raises(ProviderError, match="flagged"):
        await provider.send(attempt("hi"))
    assert len(used(upstream)) == 1


async def test_a_failure_of_the_service_is_no_fault_of_the_key(
    provider: Any, upstream: FakeUpstream, attempt: Any
):
    upstream.reply(refused(500), GOOD)
    with pytest.raises(ProviderError):
        await provider.send(attempt("hi"))
    assert len(used(upstream)) == 1
