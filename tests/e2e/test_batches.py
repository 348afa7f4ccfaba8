"""Batches from outside: `kill -9` in the middle of one, two workers, a revoked key, a shutdown, two tenants."""

from __future__ import annotations

import asyncio
import collections
import json
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types import Batch

from .conftest import Deploy
from .support.process import Deployment, until
from .support.tables import check_books
from .support.upstream import Exchange, Handler, Upstream, completion

LINES = 200
CONFIG = """
[gateway]
database = "{database}"
batches.concurrency = 16
[auth.apikey]
[provider.up]
use = "openai"
base_url = "{base_url}"
[provider.mock]
"""


def sdk_for(served: Deployment, key: str) -> OpenAI:
    return OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0, timeout=30)


def file_of(count: int, *, model: str = "up/m", text: str = "line") -> bytes:
    lines = [
        {
            "custom_id": f"id-{n}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": model, "messages": [{"role": "user", "content": f"{text} {n}"}]},
        }
        for n in range(count)
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def begin(sdk: OpenAI, content: bytes) -> str:
    file = sdk.files.create(file=("input.jsonl", content), purpose="batch")
    return sdk.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    ).id


def ended(sdk: OpenAI, id: str, seconds: float = 60) -> Batch:
    def look() -> Batch | None:
        found = sdk.batches.retrieve(id)
        running = {"validating", "in_progress", "finalizing", "cancelling"}
        return None if found.status in running else found

    found = until(look, seconds, every=0.1)
    assert found
    return found


def completed(sdk: OpenAI, id: str) -> int:
    counts = sdk.batches.retrieve(id).request_counts
    return counts.completed if counts else 0


def lines_of(sdk: OpenAI, id: str | None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sdk.files.content(id or "").text.splitlines()]


@pytest.mark.slow
async def test_every_line_has_one_result_and_one_paid_call_whatever_dies(
    deploy: Deploy, database: str, base_url: str, upstream: Callable[[Handler], Upstream]
) -> None:
    options = ("--workers", "2") if database.startswith("postgresql") else ()
    answered: collections.Counter[str] = collections.Counter()

    answerable, deaths = 0, 0
    holds = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        # Past `answerable` lines it holds, so that every kill finds calls under way, however slow the machine.
        lived = deaths
        await asyncio.sleep(0.05)
        while len(answered) >= answerable and lived == deaths:
            holds.set()
            await asyncio.sleep(0.02)
        if lived == deaths:
            await exchange.answer(completion(exchange.said))
            answered[exchange.said] += 1

    served = deploy(CONFIG.format(database=database, base_url=base_url), start=False)
    key = served.key()["key"]
    async with upstream(handler):
        await asyncio.to_thread(served.start, *options)
        with sdk_for(served, key) as sdk:
            batch = await asyncio.to_thread(begin, sdk, file_of(LINES))
            for done in (30, 90, 150):
                answerable = done + 16
                await asyncio.to_thread(until, lambda n=done: completed(sdk, batch) >= n, 60)
                await holds.wait()
                await asyncio.to_thread(served.kill)
                deaths += 1
                holds.clear()
                await asyncio.to_thread(served.start, *options)
            answerable = LINES + 1
            found = await asyncio.to_thread(ended, sdk, batch)
            assert found.status == "completed"
            assert found.request_counts
            assert found.request_counts.to_dict() == {"total": LINES, "completed": LINES, "failed": 0}
            results = await asyncio.to_thread(lines_of, sdk, found.output_file_id)
    assert [line["custom_id"] for line in results] == [f"id-{n}" for n in range(LINES)]
    texts = [line["response"]["body"]["choices"][0]["message"]["content"] for line in results]
    assert texts == [f"line {n}" for n in range(LINES)]

    calls = served.calls()
    paid = collections.Counter(call["client_request_id"] for call in calls if call["status"] == "success")
    assert paid == {f"{batch}/id-{n}": 1 for n in range(LINES)}
    cut_off = [call for call in calls if call["status"] != "success"]
    assert {call["error"]["code"] for call in cut_off} == {"abandoned"}
    assert 0 < len(cut_off) <= 3 * 16
    assert LINES <= sum(answered.values()) <= LINES + len(cut_off)
    assert served.stop() == 0
    assert await check_books(database, served.folder) == len(calls)


def test_a_shutdown_leaves_a_batch_for_the_next_start(deploy: Deploy) -> None:
    served = deploy(CONFIG.format(database="sqlite:///gateway.db", base_url="http://127.0.0.1:1/v1"))
    with sdk_for(served, served.key()["key"]) as sdk:
        batch = begin(sdk, file_of(60, model="mock/echo", text="x @delay=200"))
        until(lambda: completed(sdk, batch) >= 10)
        assert served.stop() == 0
        served.start()
        found = ended(sdk, batch)
        assert found.status == "completed"
        assert found.request_counts
        assert found.request_counts.completed == 60
        assert len(lines_of(sdk, found.output_file_id)) == 60
    calls = served.settled()
    assert len(calls) == 60
    assert {call["status"] for call in calls} == {"success"}


def test_a_revoked_key_stops_its_batch(deploy: Deploy) -> None:
    served = deploy(CONFIG.format(database="sqlite:///gateway.db", base_url="http://127.0.0.1:1/v1"))
    first, second = served.key(), served.key(name="second")
    with sdk_for(served, first["key"]) as sdk, sdk_for(served, second["key"]) as other:
        batch = begin(sdk, file_of(300, model="mock/echo", text="x @delay=1000"))
        until(lambda: completed(sdk, batch) >= 5)
        served.command("keys", "revoke", first["id"])
        found = ended(other, batch)
        assert found.status == "failed"
        assert found.errors
        assert [error.code for error in found.errors.data or []] == ["invalid_api_key"]
        kept, left = lines_of(other, found.output_file_id), lines_of(other, found.error_file_id)
        assert len(kept) + len(left) == 300
        assert {line["error"]["code"] for line in left} == {"batch_failed"}
    assert len(served.settled()) == len(kept) < 300


def test_nobody_sees_files_and_batches_of_another_tenant(deploy: Deploy) -> None:
    served = deploy(CONFIG.format(database="sqlite:///gateway.db", base_url="http://127.0.0.1:1/v1"))
    mine, theirs = served.key()["key"], served.key("--tenant", "other")["key"]
    with sdk_for(served, mine) as owner, sdk_for(served, theirs) as stranger:
        batch = begin(owner, file_of(2, model="mock/echo"))
        found = ended(owner, batch)
        output = found.output_file_id or ""
        for attempt in (
            lambda: stranger.files.retrieve(found.input_file_id),
            lambda: stranger.files.content(output),
            lambda: stranger.files.delete(output),
            lambda: stranger.batches.retrieve(batch),
            lambda: stranger.batches.cancel(batch),
        ):
            with pytest.raises(openai.NotFoundError):
                attempt()
        with pytest.raises(openai.BadRequestError, match=found.input_file_id):
            stranger.batches.create(
                input_file_id=found.input_file_id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
            )
        assert stranger.files.list().data == []
        assert stranger.batches.list().data == []
        with sdk_for(served, "gw_not-a-key") as nobody:
            with pytest.raises(openai.AuthenticationError):
                nobody.files.list()
            with pytest.raises(openai.AuthenticationError):
                nobody.files.content(output)
            with pytest.raises(openai.AuthenticationError):
                nobody.batches.list()
        assert len(owner.files.list().data) == 2


def test_a_gateway_that_leaves_batches_to_another_one(deploy: Deploy) -> None:
    far = deploy(CONFIG.format(database="sqlite:///gateway.db", base_url="http://127.0.0.1:1/v1"))
    near = deploy(
        f"""
[gateway.files]
provider = "far"
[auth.apikey]
[provider.far]
use = "openai"
base_url = "{far.url}/v1"
api_key = "{far.key()["key"]}"
"""
    )
    mine = near.key()
    theirs = near.key("--tenant", "other")
    with sdk_for(near, mine["key"]) as sdk, sdk_for(near, theirs["key"]) as stranger:
        content = file_of(20, model="mock/echo")
        batch = begin(sdk, content)
        with pytest.raises(openai.NotFoundError):
            stranger.batches.retrieve(batch)
        near.kill()
        near.start()
        found = ended(sdk, batch)
        assert found.status == "completed"
        assert len(lines_of(sdk, found.output_file_id)) == 20
        assert sdk.files.content(found.input_file_id).content == content
        with pytest.raises(openai.NotFoundError):
            stranger.files.content(found.output_file_id or "")
        assert sdk.files.retrieve(found.output_file_id or "").purpose == "batch_output"
        assert sdk.files.delete(found.input_file_id).deleted
        assert [file.id for file in sdk.files.list()] == [found.output_file_id]
        assert [other.id for other in sdk.batches.list()] == [batch]
        assert found.usage
    calls = near.settled()
    assert sorted(call["client_request_id"] for call in calls) == sorted(f"{batch}/id-{n}" for n in range(20))
    assert {(call["status"], call["key"]) for call in calls} == {("success", mine["id"])}
    assert sum(call["prompt_tokens"] for call in calls) == found.usage.input_tokens
    assert sum(call["completion_tokens"] for call in calls) == found.usage.output_tokens
    assert len(far.calls()) == 20
