"""What AIGNE's own client sends, to the letter, and what it must get."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from .conftest import Hub


def play(hub: Hub, request: Mapping[str, Any], **input: Any) -> Any:
    """Send a recorded request, perhaps with something changed."""
    body = {**request["body"], "input": {**request["body"]["input"], **input}}
    return hub.post(request["path"], body, {**request["headers"], **hub.key()})


def streamed(answer: Any) -> dict[str, Any]:
    """Put a stream together as the client does."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    whole: dict[str, Any] = {}
    for event in answer.text.strip().split("\n\n"):
        delta = json.loads(event.removeprefix("data: "))["delta"]
        for name, text in delta.get("text", {}).items():
            whole[name] = whole.get(name, "") + text
        whole |= delta.get("json", {})
    return whole


def test_it_finds_the_interfaces(hub: Hub) -> None:
    site = hub.get("/__blocklet__.js?type=json").json()
    (hub_component,) = site["componentMountPoints"]
    assert hub_component["did"] == "z8ia3xzq2tMq8CRHfaXj1BTYJyYnEcHbqP8cJ"
    assert hub_component["mountPoint"] == "/"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chat", {"text": "Hello there", "model": "reasoner", "modelWithProvider": "mock/reasoner"}),
        ("history", {"text": "thanks", "finishReason": "stop"}),
        ("object", {"json": {"name": "example"}}),
        ("file", {"text": "see"}),
    ],
)
def test_chats(hub: Hub, recorded: Mapping[str, Any], name: str, expected: dict[str, Any]) -> None:
    whole = streamed(play(hub, recorded[name]))
    assert {field: whole[field] for field in expected} == expected
    assert whole["usage"]["outputTokens"] > 0
    assert whole["thoughts"]


def test_a_chat_that_calls_tools(hub: Hub, recorded: Mapping[str, Any]) -> None:
    (call,) = streamed(play(hub, recorded["tools"]))["toolCalls"]
    assert call["function"] == {"name": "get_weather", "arguments": {"city": "example"}}


def test_pictures(hub: Hub, recorded: Mapping[str, Any]) -> None:
    made = play(hub, recorded["image"]).json()
    assert [(file["type"], file["mimeType"]) for file in made["images"]] == [("file", "image/png")] * 2
    assert made["modelWithProvider"] == "mock/pictures"
    assert made["usage"]["inputTokens"] > 0
    (edited,) = play(hub, recorded["image_edit"]).json()["images"]
    assert edited["data"] not in [file["data"] for file in made["images"]]


def test_a_film_comes_whole(hub: Hub, recorded: Mapping[str, Any]) -> None:
    film = play(hub, recorded["video"], seconds=4).json()
    assert film["videos"][0]["mimeType"] == "video/mp4"
    assert film["seconds"] == 4


@pytest.mark.parametrize("name", ["image", "video"])
def test_what_ends_a_call_is_told_with_its_status(hub: Hub, recorded: Mapping[str, Any], name: str) -> None:
    refused = play(hub, recorded[name], prompt="@status=429 @code=too_busy", n=1, model="mock/pictures")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_busy")
    unread = play(hub, recorded[name], prompt=5)
    assert (unread.status_code, unread.json()["error"]["param"]) == (400, "input.prompt")


def test_embeddings_in_both_shapes(hub: Hub) -> None:
    native = {"input": {"input": ["one", "two"], "modelOptions": {"model": "mock/embedding"}}}
    vectors = hub.post("/api/v2/embeddings", native, hub.key()).json()
    openai = {"input": ["one", "two"], "model": "mock/embedding"}
    listed = hub.post("/api/v2/embeddings", openai, hub.key()).json()
    assert vectors["embeddings"] == [item["embedding"] for item in listed["data"]]
    assert vectors["usage"]["inputTokens"] == listed["usage"]["prompt_tokens"]
