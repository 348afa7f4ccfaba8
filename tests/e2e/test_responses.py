"""Responses from outside: streams over real sockets, a `kill -9` with one in the background, two workers at once."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai import OpenAI

from .conftest import Deploy
from .support.process import Deployment, until

CONFIG = """
[gateway]
database = "{database}"
[auth.apikey]
[provider.mock]
"""
LONG = "one two three four five six seven eight @gap=500"


def sdk_for(served: Deployment, key: str) -> OpenAI:
    return OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0, timeout=30)


def test_a_process_that_is_killed_leaves_no_response_running(database: str, deploy: Deploy) -> None:
    workers = ("--workers", "2") if database.startswith("postgresql") else ()
    served = deploy(CONFIG.format(database=database), *workers)
    key = served.key()["key"]
    with sdk_for(served, key) as sdk:
        first = sdk.responses.create(model="mock/echo", input="before")
        running = sdk.responses.create(model="mock/echo", input="x @hang", background=True)
        until(lambda: sdk.responses.retrieve(running.id).status == "in_progress")
        served.kill()
        served.start(*workers)

        def settled() -> Any:
            found = sdk.responses.retrieve(running.id)
            return found if found.status not in {"queued", "in_progress"} else None

        left = until(settled, 30)
        assert left.status == "failed"
        assert left.error
        assert left.error.code == "server_error"
        after = sdk.responses.create(model="mock/echo", input="after", previous_response_id=first.id)
        assert after.output_text == "after"


def test_events_in_the_background_arrive_while_it_runs(database: str, deploy: Deploy) -> None:
    workers = ("--workers", "2") if database.startswith("postgresql") else ()
    served = deploy(CONFIG.format(database=database), *workers)
    with sdk_for(served, served.key()["key"]) as sdk:
        with sdk.responses.create(model="mock/echo", input=LONG, background=True, stream=True) as stream:
            created: Any = next(iter(stream))
        response = created.response
        again = sdk.responses.retrieve(response.id, stream=True, starting_after=created.sequence_number)
        kinds: list[str] = []
        for event in again:
            if not kinds:
                assert sdk.responses.retrieve(response.id).status == "in_progress"
            kinds.append(event.type)
        assert kinds[-1] == "response.completed"
        assert kinds.count("response.output_text.delta") >= 8


def test_nobody_sees_the_responses_of_another_tenant(deploy: Deploy) -> None:
    served = deploy(CONFIG.format(database="sqlite:///gateway.db"))
    mine, other = served.key()["key"], served.key("--tenant", "other")["key"]
    with sdk_for(served, mine) as owner, sdk_for(served, other) as stranger:
        made = owner.responses.create(model="mock/echo", input="Hello")
        for attempt in (
            lambda: stranger.responses.retrieve(made.id),
            lambda: stranger.responses.delete(made.id),
            lambda: stranger.responses.cancel(made.id),
            lambda: stranger.responses.input_items.list(made.id),
        ):
            with pytest.raises(openai.NotFoundError):
                attempt()
        with pytest.raises(openai.BadRequestError, match="not found"):
            stranger.responses.create(model="mock/echo", input="x", previous_response_id=made.id)
        with sdk_for(served, "gw_not-a-key") as nobody, pytest.raises(openai.AuthenticationError):
            nobody.responses.retrieve(made.id)
        assert owner.responses.retrieve(made.id).output_text == "Hello"


def test_a_stream_that_breaks_off_raises(deploy: Deploy) -> None:
    served = deploy(CONFIG.format(database="sqlite:///gateway.db"))
    with sdk_for(served, served.key()["key"]) as sdk:
        stream = sdk.responses.create(model="mock/echo", input="a b c d @cut=4", stream=True)
        seen: list[str] = []

        def read() -> None:
            seen.extend(event.type for event in stream)

        with pytest.raises(openai.APIError, match="mock"):
            read()
        assert "response.completed" not in seen
