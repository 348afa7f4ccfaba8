"""Items that clients refer to by their ids, as Vercel's AI SDK does with all that a response was made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import openai
import pytest

from gateway import Gateway
from gateway.testing.upstream import FakeUpstream, Reply

from .conftest import Serve
from .test_native import ANSWER, JSON, PATH, providers
from .test_sdk import WEATHER


def refer(item: Any) -> Any:
    return {"type": "item_reference", "id": item.id}


async def test_a_conversation_goes_on_by_references(serve: Serve) -> None:
    async with serve() as sdk:
        asked: Any = {"role": "user", "content": "get_weather, please"}
        first = await sdk.responses.create(model="mock/echo", input=[asked], tools=[WEATHER])
        (call,) = first.output
        result: Any = {"type": "function_call_output", "call_id": call.to_dict()["call_id"], "output": "ding"}
        second = await sdk.responses.create(
            model="mock/echo",
            input=[asked, refer(call), result, {"role": "user", "content": "and on"}],
        )
        assert second.output_text == "and on"
        listed = await sdk.responses.input_items.list(second.id, order="asc")
        assert [item.type for item in listed.data] == [
            "message",
            "function_call",
            "function_call_output",
            "message",
        ]


async def test_streamed_answers_and_thoughts_are_found_too(serve: Serve) -> None:
    async with serve() as sdk:
        stream = await sdk.responses.create(model="mock/reasoner", input="Think", stream=True)
        last = [event async for event in stream][-1]
        assert last.type == "response.completed"
        assert [item.type for item in last.response.output] == ["reasoning", "message"]
        again = await sdk.responses.create(
            model="mock/echo",
            input=[*map(refer, last.response.output), {"role": "user", "content": "On"}],
        )
        assert again.output_text == "On"


async def test_items_go_to_a_provider_that_never_made_them(
    build: Callable[..., Gateway], upstream: FakeUpstream
) -> None:
    upstream.reply(Reply(headers=JSON, parts=[ANSWER]))
    gateway = build(provider={"mock": {}, **providers(upstream)})
    async with gateway.lifespan(), gateway.client as client:
        first = (await client.post(PATH, json={"model": "mock/echo", "input": "Hi"})).json()
        (said,) = first["output"]
        theirs = {"type": "item_reference", "id": "rs_of_the_provider"}
        await client.post(
            PATH,
            json={
                "model": "openai/gpt-5.5",
                "input": [
                    {"type": "item_reference", "id": said["id"]},
                    theirs,
                    {"role": "user", "content": "On"},
                ],
            },
        )
    ours, kept, _ = json.loads(upstream.requests[0].body)["input"]
    assert (ours["type"], ours["role"], ours["content"][0]["text"]) == ("message", "assistant", "Hi")
    assert kept == theirs


async def test_what_is_not_stored_is_refused_by_name(serve: Serve) -> None:
    async with serve() as sdk:
        gone = await sdk.responses.create(model="mock/echo", input="Hi", store=False)
        deleted = await sdk.responses.create(model="mock/echo", input="Hi")
        await sdk.responses.delete(deleted.id)
        for answer in (gone, deleted):
            with pytest.raises(openai.BadRequestError, match="item_reference"):
                await sdk.responses.create(model="mock/echo", input=[refer(answer.output[0])])


async def test_references_cannot_make_a_request_larger_than_is_allowed(serve: Serve) -> None:
    async with serve(gateway={"max_body_bytes": 5000}) as sdk:
        answer = await sdk.responses.create(model="mock/echo", input="Hi " * 500)
        with pytest.raises(openai.APIStatusError, match="larger than the 5000 bytes") as caught:
            await sdk.responses.create(model="mock/echo", input=[refer(answer.output[0])] * 8)
        assert caught.value.status_code == 413
