from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire import multipart
from gateway.wire.canonical.image import ImageAnswer, ImageRequest
from gateway.wire.canonical.parts import Source
from gateway.wire.multipart import NewField
from gateway.wire.openai_images import OpenAIImagesCodec
from gateway.wire.pixels import nearest_ratio, read_size

CODEC = OpenAIImagesCodec("openai.image_edits")


def decoded(body: bytes) -> ImageRequest:
    return CODEC.decode_request(body, model="m", stream=False)


def test_json_and_forms_say_the_same() -> None:
    fields: dict[str, Any] = {
        "prompt": "A hat",
        "n": 2,
        "size": "1024x1536",
        "quality": "high",
        "user": "ada",
    }
    data = base64.b64encode(b"\x89PNG1").decode()
    picture = {"image_url": f"data:image/png;base64,{data}"}
    in_json = decoded(json.dumps({**fields, "model": "m", "images": [picture], "mask": picture}).encode())
    form, _ = multipart.write(
        [
            *(NewField(name, str(value).encode()) for name, value in fields.items()),
            NewField("image", b"\x89PNG1", "a.png", "image/png"),
            NewField("mask", b"\x89PNG1", "m.png", "image/png"),
        ]
    )
    assert decoded(form) == in_json
    assert in_json.images == (Source(media_type="image/png", data=data),)
    assert (in_json.n, in_json.size, in_json.quality) == (2, (1024, 1536), "high")


def test_pictures_elsewhere() -> None:
    body = {"model": "m", "images": [{"image_url": "https://example.com/a.png"}, {"file_id": "file-1"}]}
    assert decoded(json.dumps(body).encode()).images == (
        Source(url="https://example.com/a.png"),
        Source(file="file-1"),
    )


def test_what_nobody_knows_is_kept_apart_and_what_means_nothing_is_not() -> None:
    body = {"model": "m", "style": "vivid", "moderation": "auto", "partial_images": 0, "svg": None}
    assert decoded(json.dumps(body).encode()).extra == {"style": "vivid"}


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"n": 0}, "n"), ({"n": 11}, "n"), ({"size": "big"}, "size"), ({"images": [{"detail": 1}]}, "images")],
)
def test_bad_values_are_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(json.dumps({"model": "m", **fields}).encode())
    assert caught.value.param == param
    if "n" in fields:
        form, _ = multipart.write([NewField("n", b"x")])
        with pytest.raises(InvalidRequest, match="'n'"):
            decoded(form)


@given(st.lists(st.binary(max_size=50), max_size=4), st.booleans())
def test_an_answer_holds_every_picture(pictures: list[bytes], as_url: bool) -> None:
    images = tuple(Source(media_type="image/png", data=base64.b64encode(p).decode()) for p in pictures)
    answer = ImageAnswer(images=images, usage=Usage(prompt_tokens=1, completion_tokens=2))
    request = ImageRequest(dialect="openai.images", model="m", as_url=as_url)
    fields = json.loads(CODEC.encode_answer(answer, request))
    told = [one["url"].partition(",")[2] if as_url else one["b64_json"] for one in fields["data"]]
    assert [base64.b64decode(one) for one in told] == pictures
    assert fields["usage"]["total_tokens"] == 3


def test_sizes_and_ratios() -> None:
    assert read_size("auto") is read_size(None) is None
    ratios = ("1:1", "16:9", "9:16")
    assert nearest_ratio((1920, 1080), ratios) == "16:9"
    assert nearest_ratio((1024, 1792), ratios) == "9:16"
    assert nearest_ratio((1024, 1280), ratios) is None
