from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire import Given, multipart
from gateway.wire.canonical.parts import Source
from gateway.wire.canonical.video import VideoAnswer, VideoRequest
from gateway.wire.codec import Losses
from gateway.wire.gemini_videos import GeminiVideos
from gateway.wire.multipart import NewField
from gateway.wire.openai_videos import OpenAIVideoRemix, OpenAIVideos, OpenAIVideosCodec

CODEC = OpenAIVideosCodec()
WIRE = OpenAIVideos()


def decoded(body: bytes) -> VideoRequest:
    return CODEC.decode_request(body, model="m", stream=False)


def test_json_and_forms_say_the_same() -> None:
    data = base64.b64encode(b"\x89PNG").decode()
    fields: dict[str, Any] = {"model": "m", "prompt": "A fox", "seconds": "8", "size": "1280x720"}
    reference = {"image_url": f"data:image/png;base64,{data}"}
    in_json = decoded(json.dumps({**fields, "input_reference": reference}).encode())
    form, kind = multipart.write(
        [
            *(NewField(name, value.encode()) for name, value in fields.items()),
            NewField("input_reference", b"\x89PNG", "a.png", "image/png"),
        ]
    )
    assert decoded(form) == in_json
    assert in_json.image == Source(media_type="image/png", data=data)
    assert WIRE.read(form, Given(content_type=kind)) == WIRE.read(json.dumps(fields).encode())


@pytest.mark.parametrize("seconds", ["eight", "0", "-1", "8.5", "123456"])
def test_seconds_are_a_whole_number(seconds: str) -> None:
    with pytest.raises(InvalidRequest, match="'seconds'"):
        decoded(json.dumps({"model": "m", "seconds": seconds}).encode())


def test_a_job_counts_what_it_says() -> None:
    assert WIRE.usage(b'{"id": "v", "seconds": "12"}') == Usage(seconds=12.0)
    assert WIRE.usage(b'{"id": "v"}') is None
    request = decoded(b'{"model": "m", "prompt": "A fox"}')
    assert GeminiVideos().usage(VideoAnswer(id="v"), request) == Usage(seconds=8.0, estimated=True)
    job = json.loads(CODEC.encode_answer(VideoAnswer(id="v"), request))
    assert (job["status"], job["seconds"], job["prompt"]) == ("queued", "8", "A fox")


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"size": "500x500"}, "size"),
        ({"input_reference": {"file_id": "f"}}, "input_reference"),
        ({"loop": True}, "loop"),
    ],
)
def test_what_veo_cannot_be_told_is_named(fields: dict[str, Any], name: str) -> None:
    request = decoded(json.dumps({"model": "m", "prompt": "A fox", **fields}).encode())
    losses = Losses("veo", CODEC.names)
    GeminiVideos().encode_request(request, "m", losses)
    with pytest.raises(InvalidRequest) as caught:
        losses.check()
    assert caught.value.param == name


def test_a_remix_needs_only_a_prompt() -> None:
    wire = OpenAIVideoRemix()
    assert wire.read(b'{"prompt": "By night"}', Given(model="-")).model == "-"
    with pytest.raises(InvalidRequest, match="'prompt'"):
        wire.read(b"{}")
    with pytest.raises(InvalidRequest, match="JSON"):
        wire.read(b"", Given(content_type="multipart/form-data; boundary=a"))
