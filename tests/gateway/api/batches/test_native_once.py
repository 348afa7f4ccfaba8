"""A provider's own batch under an `Idempotency-Key` is begun once, however often it is asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import update

from gateway.store import Database
from gateway.store.identity_tables import kept_answers
from gateway.store.money_tables import answered_calls

from .abroad import INPUT, Provider, answered, calls_in, said, tables
from .conftest import Serve

ORDER: dict[str, Any] = {
    "input_file_id": "file-abc123",
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
    "extra_headers": {"Idempotency-Key": "b-1"},
}
ONCE: dict[str, Any] = {"middleware": {"idempotency": {}}}


def begun(provider: Provider) -> int:
    """How many batches the provider was asked to begin."""
    return sum(1 for each in provider.requests if (each.method, each.path) == ("POST", "/v1/batches"))


async def upload(sdk: AsyncOpenAI) -> None:
    await sdk.files.create(file=("i.jsonl", INPUT), purpose="batch")


async def test_fifty_repeats_make_one_batch(serve: Serve, provider: Provider, database: Database) -> None:
    async with serve(**tables(provider), **ONCE) as sdk:
        await upload(sdk)
        raw = sdk.batches.with_raw_response
        answers = await asyncio.gather(*(raw.create(**ORDER) for _ in range(50)))
        assert len({answer.content for answer in answers}) == 1
        replayed = [answer for answer in answers if "idempotent-replayed" in answer.headers]
        assert len(replayed) == 49
        assert "idempotent-replayed" in (await raw.create(**ORDER)).headers
        assert begun(provider) == 1
        assert len(await calls_in(database)) == 3
        with pytest.raises(openai.UnprocessableEntityError):
            await sdk.batches.create(**ORDER, metadata={"another": "request"})
        provider.ends("completed", b"".join(answered(f"line-{n}") for n in range(3)))
        await sdk.batches.retrieve("batch_abc123")
        paid = [call for call in await calls_in(database) if call["status"] == "success"]
        assert len(paid) == 3


async def test_one_that_a_dead_worker_has_begun_is_not_begun_again(
    serve: Serve, provider: Provider, database: Database
) -> None:
    async with serve(**tables(provider), **ONCE) as sdk:
        await upload(sdk)
        await sdk.batches.create(**ORDER)
        async with database.begin() as connection:  # killed before the answer was kept
            await connection.execute(update(kept_answers).values(status=None, answer=None, worker="dead"))
            await connection.execute(update(answered_calls).values(worker="dead"))
        for _ in range(2):
            with pytest.raises(openai.APIStatusError, match="batch_abc123") as lost:
                await sdk.batches.create(**ORDER)
            assert (lost.value.status_code, lost.value.code) == (410, "idempotency_answer_lost")
        assert begun(provider) == 1
        assert len(await calls_in(database)) == 3


async def test_one_that_the_provider_could_not_begin_is_tried_anew(
    serve: Serve, provider: Provider, database: Database
) -> None:
    takes = provider.has["POST /v1/batches"]
    provider.has["POST /v1/batches"] = said({"error": {"message": "Not now.", "code": "busy"}}, 503)
    async with serve(**tables(provider), **ONCE) as sdk:
        await upload(sdk)
        with pytest.raises(openai.InternalServerError):
            await sdk.batches.create(**ORDER)
        provider.has["POST /v1/batches"] = takes
        assert (await sdk.batches.create(**ORDER)).id == "batch_abc123"
        assert begun(provider) == 2
        statuses = sorted(call["status"] for call in await calls_in(database))
        assert statuses == ["failed"] * 3 + ["processing"] * 3
