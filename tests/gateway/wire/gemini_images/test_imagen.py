"""Pictures by Imagen, in both directions, as Google documents its `predict`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.testing.fakes import make_call
from gateway.types import Usage
from gateway.wire import Exchange, WireError, exchange
from gateway.wire.dialect import StreamFailed

FOLDER = Path(__file__).parent
MODEL = "imagen-4.0-generate-001"
ASKED: dict[str, Any] = {
    "model": "gemini/imagen",
    "prompt": "A fox in the snow",
    "n": 2,
    "size": "2816x1584",
    "output_format": "jpeg",
    "output_compression": 80,
}


def turn(**asked: Any) -> Exchange:
    call = make_call({"model": "m", "prompt": "A fox", **asked}, dialect="openai.images")
    return exchange(call, "gemini.images", provider="gemini")


def sent(model: str = MODEL, **asked: Any) -> Any:
    return json.loads(turn(**asked).prepare(model))


def test_the_request() -> None:
    assert sent(**ASKED) == json.loads((FOLDER / "imagen_request.json").read_bytes())


def test_the_answer() -> None:
    body, usage = turn(**ASKED).whole((FOLDER / "imagen_answer.json").read_bytes())
    answer = json.loads(body)
    assert answer["data"] == [{"b64_json": "/9j/4AAQ"}]
    assert answer["output_format"] == "jpeg"
    assert usage == Usage(images=1)


@pytest.mark.parametrize(
    "model", [MODEL, "models/imagen-4.0-fast-generate-001", "publishers/google/imagen-3"]
)
def test_imagen_is_known_by_its_name(model: str) -> None:
    assert sent(model)["instances"] == [{"prompt": "A fox"}]


def test_other_models_are_asked_for_content() -> None:
    assert "contents" in sent("gemini-x-image")


def test_more_than_four_pictures_are_several_requests() -> None:
    assert [one["parameters"]["sampleCount"] for one in sent(n=10)] == [4, 4, 2]
    answers = b"[" + b",".join([(FOLDER / "imagen_answer.json").read_bytes()] * 3) + b"]"
    body, usage = turn(n=10).whole(answers)
    assert len(json.loads(body)["data"]) == 3
    assert usage.images == 3


def test_a_prompt_that_is_withheld_says_why() -> None:
    withheld = {"predictions": [{"raiFilteredReason": "Not this one."}]}
    with pytest.raises(StreamFailed, match=r"made no picture: Not this one\.$") as refused:
        turn().whole(json.dumps(withheld).encode())
    assert (refused.value.code, refused.value.status) == ("moderation_blocked", 400)


@pytest.mark.parametrize("body", [b"{}", b'{"predictions": []}', b'{"predictions": [{}]}'])
def test_no_picture_is_no_answer(body: bytes) -> None:
    with pytest.raises(WireError, match="no picture"):
        turn().whole(body)


@pytest.mark.parametrize(
    "asked",
    [
        {"size": "1024x333"},
        {"size": "4096x4096"},
        {"quality": "high"},
        {"background": "transparent"},
        {"output_format": "webp"},
        {"output_compression": 50},
        {"style": "vivid"},
    ],
    ids=str,
)
def test_what_it_cannot_say_is_named(asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent(**asked)
    assert refused.value.param == next(iter(asked))


def test_it_changes_no_pictures() -> None:
    edit = {"images": [{"image_url": "data:image/png;base64,aGk="}]}
    call = make_call({"model": "m", "prompt": "With a hat", **edit}, dialect="openai.image_edits")
    with pytest.raises(InvalidRequest, match="'image'"):
        exchange(call, "gemini.images", provider="gemini").prepare(MODEL)
