"""Batches through the official SDK, on both databases."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from gateway.errors import RateLimited
from gateway.plugin import Plugin, PluginConfig, hookimpl
from gateway.types import Answer, Call, Proceed

from .conftest import Serve, begin, ended, file_of, lines_of, request


async def test_every_line_gets_its_answer(serve: Serve) -> None:
    async with serve() as sdk:
        content = file_of(*(request(f"id-{n}", f"line {n}") for n in range(30)))
        made = await begin(sdk, content, metadata={"purpose": "test"})
        assert made.status == "validating"
        assert made.expires_at == made.created_at + 86_400
        done = await ended(sdk, made.id)
        assert done.status == "completed"
        assert done.model == "mock/echo"
        assert done.metadata == {"purpose": "test"}
        assert done.request_counts
        assert done.request_counts.to_dict() == {"total": 30, "completed": 30, "failed": 0}
        assert done.created_at <= (done.in_progress_at or 0) <= (done.finalizing_at or 0)
        assert (done.finalizing_at or 0) <= (done.completed_at or 0)
        assert done.error_file_id is None
        lines = await lines_of(sdk, done.output_file_id)
        assert [line["custom_id"] for line in lines] == [f"id-{n}" for n in range(30)]
        bodies = [line["response"]["body"] for line in lines]
        assert [body["choices"][0]["message"]["content"] for body in bodies] == [
            f"line {n}" for n in range(30)
        ]
        assert {line["response"]["status_code"] for line in lines} == {200}
        assert all(line["error"] is None for line in lines)
        assert len({line["id"] for line in lines}) == 30
        assert done.usage
        assert done.usage.total_tokens == sum(body["usage"]["total_tokens"] for body in bodies)


async def test_requests_that_fail_are_told_in_a_file_of_their_own(serve: Serve) -> None:
    async with serve() as sdk:
        lines = [
            request("good", "fine"),
            request("refused", "no @status=400"),
            request("streamed", "no", stream=True),
            request("unknown", "no", model="mock-nowhere"),
        ]
        done = await ended(sdk, (await begin(sdk, file_of(*lines))).id)
        assert done.status == "completed"
        assert done.request_counts
        assert done.request_counts.to_dict() == {"total": 4, "completed": 1, "failed": 3}
        (good,) = await lines_of(sdk, done.output_file_id)
        assert good["custom_id"] == "good"
        refused, streamed, unknown = await lines_of(sdk, done.error_file_id)
        assert refused["response"]["status_code"] == 400
        assert streamed["response"]["body"]["error"]["param"] == "stream"
        assert unknown["response"]["status_code"] == 404
        assert unknown["response"]["body"]["error"]["code"] == "model_not_found"


async def test_other_endpoints(serve: Serve) -> None:
    async with serve() as sdk:
        embedding = {
            "custom_id": "e",
            "method": "POST",
            "url": "/v1/embeddings",
            "body": {"model": "mock/embed", "input": "Hello", "dimensions": 4},
        }
        done = await ended(sdk, (await begin(sdk, file_of(embedding), "/v1/embeddings")).id)
        (line,) = await lines_of(sdk, done.output_file_id)
        assert len(line["response"]["body"]["data"][0]["embedding"]) == 4

        answers = [
            {
                "custom_id": name,
                "method": "POST",
                "url": "/v1/responses",
                "body": {"model": "mock/echo", "input": "Hello", **more},
            }
            for name, more in {"r": {}, "s": {"previous_response_id": "resp_of_somebody"}}.items()
        ]
        done = await ended(sdk, (await begin(sdk, file_of(*answers), "/v1/responses")).id)
        (line,) = await lines_of(sdk, done.output_file_id)
        assert line["response"]["body"]["output"][-1]["content"][0]["text"] == "Hello"
        (line,) = await lines_of(sdk, done.error_file_id)
        assert line["response"]["body"]["error"]["param"] == "previous_response_id"

        message = {
            "custom_id": "m",
            "method": "POST",
            "url": "/v1/messages",
            "body": {
                "model": "mock/echo",
                "max_tokens": 10,
                "messages": [{"role": "user", "content": "Hello"}],
            },
        }
        done = await ended(sdk, (await begin(sdk, file_of(message), "/v1/messages")).id)
        (line,) = await lines_of(sdk, done.output_file_id)
        assert line["response"]["body"]["content"][0]["text"] == "Hello"


async def test_a_bad_file_fails_the_batch_and_says_why(serve: Serve) -> None:
    async with serve() as sdk:
        content = file_of(
            request("a", "x"), request("a", "y"), {**request("b", "z"), "url": "/v1/embeddings"}
        )
        done = await ended(sdk, (await begin(sdk, content + b"{no json\n")).id)
        assert done.status == "failed"
        assert done.failed_at
        assert done.output_file_id is None
        assert done.errors
        found = [(error.line, error.code) for error in done.errors.data or []]
        assert found == [(2, "duplicate_custom_id"), (3, "mismatched_url"), (4, "invalid_json_line")]
        empty = await ended(sdk, (await begin(sdk, b"\n\n")).id)
        assert empty.errors
        assert empty.errors.data
        assert empty.errors.data[0].code == "empty_file"


async def test_a_batch_is_cancelled(serve: Serve) -> None:
    async with serve(gateway={"batches": {"concurrency": 2}}) as sdk:
        content = file_of(request("first", "now"), *(request(f"{n}", "x @delay=300") for n in range(50)))
        made = await begin(sdk, content)
        async with asyncio.timeout(30):
            while not ((now := await sdk.batches.retrieve(made.id)).request_counts or made).completed:  # type: ignore[union-attr]
                await asyncio.sleep(0.02)
        assert now.status == "in_progress"
        cancelled = await sdk.batches.cancel(made.id)
        assert cancelled.status == "cancelling"
        done = await ended(sdk, made.id)
        assert done.status == "cancelled"
        assert done.cancelled_at
        finished = await lines_of(sdk, done.output_file_id)
        left = await lines_of(sdk, done.error_file_id)
        assert len(finished) + len(left) == 51
        assert len(finished) < 51
        assert {line["error"]["code"] for line in left} == {"batch_cancelled"}
        assert {line["response"] for line in left} == {None}
        with pytest.raises(openai.BadRequestError, match="cancelled"):
            await sdk.batches.cancel(made.id)


async def test_batches_are_listed_newest_first_page_by_page(serve: Serve) -> None:
    async with serve() as sdk:
        made = [(await begin(sdk, file_of(request("a", str(n))))).id for n in range(5)]
        page = await sdk.batches.list(limit=2)
        assert [batch.id for batch in page.data] == made[:2:-1]
        assert page.has_more
        assert [batch.id async for batch in sdk.batches.list(limit=2)] == made[::-1]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"endpoint": "/v1/audio/speech"}, "endpoint"),
        ({"completion_window": "1h"}, "completion_window"),
        ({"input_file_id": "file-none"}, "input_file_id"),
        ({"metadata": {"k" * 65: "v"}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 5}}, "output_expires_after.seconds"),
    ],
)
async def test_what_cannot_be_is_refused_by_name(serve: Serve, change: dict[str, Any], param: str) -> None:
    async with serve() as sdk:
        file = await sdk.files.create(file=("i.jsonl", file_of(request("a", "x"))), purpose="batch")
        asked: dict[str, Any] = {
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "input_file_id": file.id,
        }
        with pytest.raises(openai.BadRequestError) as refused:
            await sdk.batches.create(**{**asked, **change})
        assert refused.value.param == param


async def test_a_file_for_another_purpose_is_no_input(serve: Serve) -> None:
    async with serve() as sdk:
        file = await sdk.files.create(file=("i.jsonl", file_of(request("a", "x"))), purpose="user_data")
        with pytest.raises(openai.BadRequestError, match="user_data"):
            await sdk.batches.create(
                endpoint="/v1/chat/completions", completion_window="24h", input_file_id=file.id
            )


class Stingy(Plugin[PluginConfig]):
    """Lets two calls through, then refuses three, then lets all through."""

    id = "middleware.stingy"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.seen = 0

    @hookimpl
    def register_interceptors(self) -> list[Stingy]:
        return [self]

    async def around_call(self, call: Call, proceed: Proceed) -> Answer:
        """Count, and refuse some."""
        self.seen += 1
        if 2 < self.seen <= 5:
            raise RateLimited("Too many.", headers=[(b"retry-after", b"0")])
        return await proceed(call)


async def test_the_gateways_own_limits_are_waited_for(serve: Serve) -> None:
    async with serve(middleware={"stingy": {}}, plugins=[Stingy]) as sdk:
        content = file_of(*(request(f"{n}", "x") for n in range(6)))
        done = await ended(sdk, (await begin(sdk, content)).id)
        assert done.request_counts
        assert done.request_counts.to_dict() == {"total": 6, "completed": 6, "failed": 0}


async def test_an_answer_on_several_lines_is_put_on_one(serve: Serve) -> None:
    async with serve() as sdk:
        text = "two\nlines \u2028 and é"
        done = await ended(sdk, (await begin(sdk, file_of(request("ü", text)))).id)
        content = (await sdk.files.content(done.output_file_id or "")).content
        (line,) = content.split(b"\n")[:-1]
        assert json.loads(line)["response"]["body"]["choices"][0]["message"]["content"] == text
        assert json.loads(line)["custom_id"] == "ü"
