from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.types import Usage
from gateway.wire.bedrock_images import BedrockImages
from gateway.wire.canonical.image import ImageRequest
from gateway.wire.canonical.parts import Source
from gateway.wire.codec import Losses
from gateway.wire.dialect import StreamFailed, WireError

CODEC = BedrockImages()
TITAN, STABLE = "amazon.titan-image-generator-v1", "stability.stable-image-core-v1:1"
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


def sent(model: str, **fields: Any) -> Any:
    asked: dict[str, Any] = {"prompt": "A fox", **fields}
    request = ImageRequest(dialect="openai.images", model="m", **asked)
    losses = Losses("bedrock", {"images": "image"})
    body = CODEC.encode_request(request, model, losses)
    losses.check()
    return json.loads(body)


def test_amazons_words() -> None:
    assert sent(TITAN, n=2, size=(1024, 512), quality="high") == {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": "A fox"},
        "imageGenerationConfig": {"numberOfImages": 2, "width": 1024, "height": 512, "quality": "premium"},
    }
    varied = sent(TITAN, prompt="", images=(Source(data=PNG),))
    assert varied["imageVariationParams"] == {"images": [PNG]}
    assert varied["taskType"] == "IMAGE_VARIATION"


def test_stabilitys_words() -> None:
    one = {"prompt": "A fox", "aspect_ratio": "16:9", "output_format": "jpeg"}
    assert sent(STABLE, size=(1792, 1024), output_format="jpeg") == one
    assert sent(f"us.{STABLE}", n=2) == [{"prompt": "A fox"}] * 2


@pytest.mark.parametrize(
    ("model", "fields", "name"),
    [
        (TITAN, {"n": 6}, "n"),
        (TITAN, {"output_format": "webp"}, "output_format"),
        (TITAN, {"quality": "max"}, "quality"),
        (TITAN, {"mask": Source(data=PNG)}, "mask"),
        (TITAN, {"images": (Source(url="https://example.com"),)}, "image"),
        (TITAN, {"extra": {"style": "vivid"}}, "style"),
        (TITAN, {"stream": True}, "stream"),
        (STABLE, {"images": (Source(data=PNG),)}, "image"),
        (STABLE, {"size": (1000, 1700)}, "size"),
        (STABLE, {"output_format": "gif"}, "output_format"),
        (STABLE, {"background": "transparent"}, "background"),
    ],
)
def test_what_they_cannot_be_told(model: str, fields: dict[str, Any], name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sent(model, **fields)
    assert caught.value.param == name


def test_answers() -> None:
    for body, count in (
        ({"images": [PNG, PNG]}, 2),
        ([{"images": [PNG], "finish_reasons": [None], "seeds": [1]}] * 3, 3),
    ):
        answer = CODEC.decode_answer(json.dumps(body).encode())
        assert answer.images == (Source(media_type="image/png", data=PNG),) * count
        assert answer.usage == Usage(images=count)
    withheld = {"images": [], "finish_reasons": ["Filter reason: prompt"]}
    with pytest.raises(StreamFailed, match="Filter reason"):
        CODEC.decode_answer(json.dumps(withheld).encode())
    for body in (b"{}", b"[]", b"<html>", b'{"images": [1]}'):
        with pytest.raises(WireError):
            CODEC.decode_answer(body)
