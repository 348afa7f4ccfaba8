"""Responses of a provider that speaks the API itself: what reaches it, what is stored, what the client sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway import Gateway
from gateway.testing.asgi import post
from gateway.testing.upstream import FakeUpstream, Reply

FOLDER = Path(__file__).parents[2] / "wire" / "openai_responses"
ANSWER = (FOLDER / "answer.json").read_bytes()
STREAM = (FOLDER / "stream.sse").read_bytes()
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream"}
PATH = "/v1/responses"


def providers(upstream: FakeUpstream, **settings: Any) -> dict[str, Any]:
    config = {"base_url": f"{upstream.url}/v1", "preset": "openai", "api_key": "sk-of-the-tests", **settings}
    return {"openai": config}


Build = Callable[..., Gateway]


async def test_bytes_pass_untouched_and_are_stored(build: Build, upstream: FakeUpstream) -> None:
    upstream.reply(Reply(headers=JSON, parts=[ANSWER]))
    gateway = build(provider=providers(upstream))
    body = {"model": "openai/gpt-5.5", "input": "When is high tide?", "a_field_of_mine": [1]}
    async with gateway.lifespan(), gateway.client as client:
        answer = await client.post(PATH, json=body)
        assert answer.content == ANSWER
        (request,) = upstream.requests
        assert request.path == PATH
        assert json.loads(request.body) == {**body, "model": "gpt-5.5"}
        stored = await client.get(f"{PATH}/resp_0a1b")
        assert stored.content == ANSWER
        items = (await client.get(f"{PATH}/resp_0a1b/input_items")).json()
        assert items["data"][0]["content"] == [{"type": "input_text", "text": "When is high tide?"}]


async def test_a_stream_passes_untouched_and_is_stored(build: Build, upstream: FakeUpstream) -> None:
    cuts = [STREAM[start : start + 500] for start in range(0, len(STREAM), 500)]
    upstream.reply(Reply(headers=EVENTS, parts=cuts))
    gateway = build(provider=providers(upstream))
    async with gateway.lifespan(), gateway.client as client:
        answer = await client.post(PATH, json={"model": "openai/gpt-5.5", "input": "x", "stream": True})
        assert answer.content == STREAM
        stored = await client.get(f"{PATH}/resp_0c2d")
        assert stored.json()["a_field_of_tomorrow"] == 1


async def test_what_came_before_goes_to_the_provider_in_full(build: Build, upstream: FakeUpstream) -> None:
    second = json.dumps({**json.loads(ANSWER), "id": "resp_2"}).encode()
    upstream.reply(Reply(headers=JSON, parts=[ANSWER]), Reply(headers=JSON, parts=[second]))
    gateway = build(provider=providers(upstream))
    result = {"type": "function_call_output", "call_id": "call_c", "output": "ding"}
    async with gateway.lifespan(), gateway.client as client:
        await client.post(PATH, json={"model": "openai/gpt-5.5", "input": "Ring.", "instructions": "Once."})
        answer = await client.post(
            PATH,
            json={
                "model": "openai/gpt-5.5",
                "previous_response_id": "resp_0a1b",
                "input": [result],
                "include": ["reasoning.encrypted_content"],
            },
        )
        assert answer.json()["previous_response_id"] == "resp_0a1b"
        assert answer.json()["a_field_of_tomorrow"] == {"kept": True}
    sent = json.loads(upstream.requests[1].body)
    assert sent.keys() == {"model", "input", "include"}
    kinds = [item["type"] for item in sent["input"]]
    assert kinds == [
        "message",
        "reasoning",
        "web_search_call",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert sent["input"][1]["encrypted_content"] == "gAAAAB-not-readable"
    assert not {"id", "status"} & sent["input"][4].keys()
    assert sent["input"][-1] == result


async def test_thoughts_that_only_their_provider_could_look_up_are_left_out(
    build: Build, upstream: FakeUpstream
) -> None:
    first = json.loads(ANSWER)
    del first["output"][0]["encrypted_content"]
    upstream.reply(
        Reply(headers=JSON, parts=[json.dumps(first).encode()]), Reply(headers=JSON, parts=[ANSWER])
    )
    gateway = build(provider=providers(upstream))
    async with gateway.lifespan(), gateway.client as client:
        await client.post(PATH, json={"model": "openai/gpt-5.5", "input": "Ring."})
        await client.post(
            PATH, json={"model": "openai/gpt-5.5", "input": "Again.", "previous_response_id": "resp_0a1b"}
        )
    kinds = [item["type"] for item in json.loads(upstream.requests[1].body)["input"]]
    assert "reasoning" not in kinds


async def test_a_chain_goes_on_with_a_provider_that_only_knows_chats(
    build: Build, upstream: FakeUpstream
) -> None:
    first = json.loads(ANSWER)
    first["output"] = [item for item in first["output"] if item["type"] == "message"]
    upstream.reply(Reply(headers=JSON, parts=[json.dumps(first).encode()]))
    gateway = build(provider={**providers(upstream), "mock": {}})
    async with gateway.lifespan(), gateway.client as client:
        await client.post(PATH, json={"model": "openai/gpt-5.5", "input": "When?"})
        answer = await client.post(
            PATH, json={"model": "mock/echo", "input": "Thanks.", "previous_response_id": "resp_0a1b"}
        )
        assert answer.json()["output"][0]["content"][0]["text"] == "Thanks."


@pytest.mark.parametrize("stream", [False, True])
async def test_in_the_background_nobody_upstream_hears_of_it(
    build: Build, upstream: FakeUpstream, stream: bool
) -> None:
    upstream.reply(Reply(headers=EVENTS, parts=[STREAM]) if stream else Reply(headers=JSON, parts=[ANSWER]))
    gateway = build(provider=providers(upstream))
    body = {"model": "openai/gpt-5.5", "input": "x", "background": True, "stream": stream}
    async with gateway.lifespan(), gateway.client as client:
        answer = await client.post(PATH, json=body)
        if stream:
            events = [json.loads(event.partition("data: ")[2]) for event in answer.text.split("\n\n")[:-1]]
            last = events[-1]["response"]
            assert len(events) == STREAM.count(b"event: ")
        else:
            await upstream.reached()
            await upstream.released()
            own = answer.json()["id"]
            while (last := (await client.get(f"{PATH}/{own}")).json())["status"] in {"queued", "in_progress"}:
                pass
        assert last["id"].startswith("resp_")
        assert last["id"] not in {"resp_0a1b", "resp_0c2d"}
        assert (last["status"], last["background"]) == ("completed", True)
        assert "a_field_of_tomorrow" in last
    assert "background" not in json.loads(upstream.requests[0].body)


async def test_a_stream_that_breaks_off_ends_with_an_error_and_is_not_stored(
    build: Build, upstream: FakeUpstream
) -> None:
    upstream.reply(Reply(headers=EVENTS, parts=[STREAM[:2000]], ending="cut"))
    gateway = build(provider=providers(upstream))
    async with gateway.lifespan(), gateway.client as client:
        answer = await post(gateway, PATH, {"model": "openai/gpt-5.5", "input": "x", "stream": True})
        assert not answer.ended
        name, _, data = answer.body.split(b"\n\n")[-2].partition(b"\ndata: ")
        assert name == b"event: error"
        assert json.loads(data)["code"] == "upstream_cut"
        assert (await client.get(f"{PATH}/resp_0c2d")).status_code == 404


async def test_a_provider_that_fails_in_its_stream_is_heard(build: Build, upstream: FakeUpstream) -> None:
    failed = {
        "id": "resp_0c2d",
        "status": "failed",
        "error": {"code": "server_error", "message": "Out of steam."},
    }
    event = b"data: " + json.dumps({"type": "response.failed", "response": failed}).encode() + b"\n\n"
    begins = STREAM[: STREAM.index(b"event: response.output_item.added")]
    upstream.reply(Reply(headers=EVENTS, parts=[begins + event]))
    gateway = build(provider=providers(upstream))
    async with gateway.lifespan():
        answer = await post(gateway, PATH, {"model": "openai/gpt-5.5", "input": "x", "stream": True})
    assert answer.status == 502  # nothing was sent yet, so it need not be an event
    assert answer.json()["error"]["message"] == "Out of steam."
