"""The official SDK against responses that the mock, which only knows chats, is asked for in translation."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest
from openai.types.responses import FunctionToolParam, Response, ResponseStreamEvent
from openai.types.responses.response_item_list import ResponseItemList
from pydantic import BaseModel, TypeAdapter

from .conftest import Serve

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
WEATHER: FunctionToolParam = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
TIME: FunctionToolParam = {**WEATHER, "name": "get_time"}


class City(BaseModel):
    name: str
    people: int


def strictly(response: Any) -> Any:
    """Check a response as its type says, which the SDK itself does not do."""
    Response.model_validate(response.to_dict())
    return response


async def test_an_answer_with_everything_around_it(serve: Serve) -> None:
    async with serve() as sdk:
        answer = strictly(
            await sdk.responses.create(
                model="mock/echo",
                instructions="Say it again.",
                input="Hello",
                metadata={"chapter": "3"},
                temperature=0.5,
                max_output_tokens=50,
            )
        )
        assert answer.output_text == "Hello"
        assert answer.status == "completed"
        assert (answer.instructions, answer.metadata) == ("Say it again.", {"chapter": "3"})
        assert (answer.temperature, answer.max_output_tokens) == (0.5, 50)
        assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0
        short = strictly(
            await sdk.responses.create(
                model="mock/echo", input="one two three four five six", max_output_tokens=2
            )
        )
        assert (short.status, short.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize("model", ["mock/echo", "mock/reasoner"])
async def test_a_stream_of_events(serve: Serve, model: str) -> None:
    async with serve() as sdk:
        stream = await sdk.responses.create(model=model, input="Hello there, how are you?", stream=True)
        events = [event async for event in stream]
        for number, event in enumerate(events):
            EVENTS.validate_python(event.to_dict())
            assert event.sequence_number == number
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        last: Any = events[-1]
        assert last.type == "response.completed"
        assert last.response.output_text == text == "Hello there, how are you?"
        assert (last.response.output[0].type == "reasoning") == (model == "mock/reasoner")
        stored = strictly(await sdk.responses.retrieve(last.response.id))
        assert stored.to_dict() == last.response.to_dict()


async def test_the_stream_helper_and_structured_outputs(serve: Serve) -> None:
    async with serve() as sdk:
        parsed = await sdk.responses.parse(model="mock/echo", input="Paris", text_format=City)
        assert parsed.output_parsed
        assert parsed.output_parsed.people == 1
        async with sdk.responses.stream(model="mock/echo", input="Paris", text_format=City) as stream:
            kinds = [event.type async for event in stream]
            final = await stream.get_final_response()
        assert "response.output_text.delta" in kinds
        assert final.output_parsed == parsed.output_parsed


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_in_parallel_and_what_came_of_them(serve: Serve, stream: bool) -> None:
    async with serve() as sdk:
        question = "ask get_weather and get_time for Paris"
        tools = [WEATHER, TIME]
        if stream:
            async with sdk.responses.stream(model="mock/echo", input=question, tools=tools) as events:
                first: Any = await events.get_final_response()
        else:
            first = await sdk.responses.create(model="mock/echo", input=question, tools=tools)
        strictly(first)
        assert [call.name for call in first.output] == ["get_weather", "get_time"]
        assert len({call.call_id for call in first.output}) == 2
        results: Any = [
            {"type": "function_call_output", "call_id": call.call_id, "output": "fine"}
            for call in first.output
        ]
        by_id = await sdk.responses.create(
            model="mock/echo", previous_response_id=first.id, input=results, tools=tools
        )
        by_hand: Any = [{"role": "user", "content": question}, *first.output, *results]
        all_over = await sdk.responses.create(model="mock/echo", input=by_hand, tools=tools)
        assert by_id.output_text == all_over.output_text == question
        assert by_id.usage
        assert all_over.usage
        assert by_id.usage.input_tokens == all_over.usage.input_tokens


async def test_a_chain_survives_a_restart_and_is_listed(serve: Serve) -> None:
    async with serve() as sdk:
        first = await sdk.responses.create(model="mock/echo", input="one", instructions="Be brief.")
        second = await sdk.responses.create(model="mock/echo", input="two", previous_response_id=first.id)
    async with serve() as sdk:
        third = strictly(
            await sdk.responses.create(model="mock/echo", input="three", previous_response_id=second.id)
        )
        assert third.previous_response_id == second.id
        assert third.usage.input_tokens > second.usage.input_tokens > first.usage.input_tokens  # type: ignore[union-attr]
        items = [item async for item in sdk.responses.input_items.list(third.id, order="asc", limit=2)]
        said = [(item.role, item.content[0].text) for item in items if item.type == "message"]  # type: ignore[union-attr]
        assert said == [
            ("user", "one"),
            ("assistant", "one"),
            ("user", "two"),
            ("assistant", "two"),
            ("user", "three"),
        ]
        page = await sdk.responses.input_items.list(third.id, limit=2)
        ResponseItemList.model_validate(page.to_dict())
        assert [item.id for item in page.data] == [items[4].id, items[3].id]
        assert page.has_more


async def test_a_chain_in_a_stream_says_what_it_continues(serve: Serve) -> None:
    async with serve() as sdk:
        first = await sdk.responses.create(model="mock/echo", input="one")
        stream = await sdk.responses.create(
            model="mock/echo", input="two", previous_response_id=first.id, stream=True
        )
        events: list[Any] = [event async for event in stream]
        assert events[0].response.previous_response_id == first.id
        assert events[-1].response.previous_response_id == first.id
        stored = await sdk.responses.retrieve(events[-1].response.id)
        assert stored.previous_response_id == first.id


async def test_what_is_deleted_or_never_stored_is_not_found(serve: Serve) -> None:
    async with serve() as sdk:
        kept = await sdk.responses.create(model="mock/echo", input="one")
        after = await sdk.responses.create(model="mock/echo", input="two", previous_response_id=kept.id)
        loose = await sdk.responses.create(model="mock/echo", input="three", store=False)
        assert not loose.store  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        await sdk.responses.delete(kept.id)
        for gone in (kept.id, loose.id, "resp_unknown"):
            with pytest.raises(openai.NotFoundError):
                await sdk.responses.retrieve(gone)
        for previous in (kept.id, after.id, loose.id):
            with pytest.raises(openai.BadRequestError) as refused:  # as OpenAI says it
                await sdk.responses.create(model="mock/echo", input="x", previous_response_id=previous)
            assert refused.value.code == "previous_response_not_found"
            assert refused.value.param == "previous_response_id"


async def test_background_and_polling(serve: Serve) -> None:
    async with serve() as sdk:
        queued = strictly(await sdk.responses.create(model="mock/echo", input="slowly", background=True))
        assert (queued.status, queued.background) == ("queued", True)
        done = await ended(sdk, queued.id)
        assert (done.status, done.output_text, done.background) == ("completed", "slowly", True)
        assert (await sdk.responses.cancel(queued.id)).status == "completed"
        with pytest.raises(openai.BadRequestError, match="stream=true"):
            await sdk.responses.retrieve(queued.id, stream=True)
        after = await sdk.responses.create(model="mock/echo", input="on", previous_response_id=queued.id)
        assert after.output_text == "on"


async def ended(sdk: openai.AsyncOpenAI, id: str) -> Response:
    """Poll until it is over."""
    async with asyncio.timeout(30):
        while True:
            response = strictly(await sdk.responses.retrieve(id))
            if response.status not in {"queued", "in_progress"}:
                return response
            await asyncio.sleep(0.02)


async def test_a_stream_in_the_background_can_be_taken_up_again(serve: Serve) -> None:
    async with serve() as sdk:
        stream = await sdk.responses.create(
            model="mock/echo", input="Hello there, how are you?", background=True, stream=True
        )
        events: list[Any] = [event async for event in stream]
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert events[-1].type == "response.completed"
        assert {event.response.id for event in events if hasattr(event, "response")} == {
            events[0].response.id
        }
        again = await sdk.responses.retrieve(events[0].response.id, stream=True, starting_after=4)
        assert [event.to_dict() async for event in again] == [event.to_dict() for event in events[5:]]


async def test_errors_are_openais(serve: Serve) -> None:
    async with serve() as sdk:
        with pytest.raises(openai.NotFoundError) as unknown:
            await sdk.responses.create(model="nothing/like-it", input="x")
        assert unknown.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as refused:
            await sdk.responses.create(model="mock/echo", input="x", tools=[{"type": "web_search"}])
        assert refused.value.param == "tools.web_search"
        with pytest.raises(openai.BadRequestError, match="store"):
            await sdk.responses.create(model="mock/echo", input="x", background=True, store=False)
        with pytest.raises(openai.BadRequestError, match="cancelled"):
            await sdk.responses.cancel((await sdk.responses.create(model="mock/echo", input="x")).id)


async def test_input_tokens_are_estimated(serve: Serve) -> None:
    async with serve() as sdk:
        alone = await sdk.responses.input_tokens.count(model="mock/echo", input="Hello there")
        first = await sdk.responses.create(model="mock/echo", input="one two three four")
        after = await sdk.responses.input_tokens.count(
            model="mock/echo", input="Hello there", previous_response_id=first.id
        )
        assert 0 < alone.input_tokens < after.input_tokens
