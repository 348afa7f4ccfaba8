"""Pictures on Bedrock as a provider's dialect: `InvokeModel` in the words of Amazon's and of Stability's models.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-image.html and
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-stability-diffusion.html
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical.image import ImageAnswer, ImageRequest
from gateway.wire.canonical.parts import Source
from gateway.wire.codec import Losses
from gateway.wire.dialect import StreamFailed, WireError
from gateway.wire.pixels import nearest_ratio
from gateway.wire.provider_only import ProviderOnly

_RATIOS: Final = ("1:1", "2:3", "3:2", "4:5", "5:4", "9:16", "16:9", "9:21", "21:9")
"""Stability's."""
_MOST: Final = 5
"""Pictures in one request, for Amazon's models."""
_QUALITIES: Final = {
    "low": "standard",
    "medium": "standard",
    "standard": "standard",
    "high": "premium",
    "hd": "premium",
}
_FORMATS: Final = frozenset({"png", "jpeg", "webp"})
_MAGIC: Final = {"iVBORw": "image/png", "/9j/": "image/jpeg", "UklGR": "image/webp"}
"""How files begin, in base64."""


class _Answer(Struct):
    images: list[str] | None = None
    error: str | None = None
    finish_reasons: list[str | None] | None = None


_decode = msgspec.json.Decoder(_Answer).decode
_decode_list = msgspec.json.Decoder(list[_Answer]).decode


class BedrockImages(ProviderOnly[ImageRequest, ImageAnswer]):
    """Pictures. Where a model makes one at a time, the body is an array of requests, and so is the answer."""

    dialect: Dialect = "bedrock.images"
    content_type = "application/json"

    def encode_request(self, request: ImageRequest, model: str, losses: Losses) -> bytes:
        """Write a request as the model's family wants it; what it has no word for is told to `losses`."""
        if request.stream:
            raise InvalidRequest("This model cannot stream pictures while they grow.", param="stream")
        unsaid = {
            **dict.fromkeys(request.extra, True),
            "background": request.background not in {None, "auto", "opaque"},
            "mask": request.mask is not None,  # theirs is black where OpenAI's is transparent
            "user": request.user is not None,
            "images": any(image.data is None for image in request.images),
        }
        losses.cannot_any(unsaid)
        if "stability." in model:
            return _for_stability(request, losses)
        return msgspec.json.encode(_for_amazon(request, losses))

    def decode_answer(self, body: bytes) -> ImageAnswer:
        """Read pictures. Raises `WireError` or `StreamFailed` when there is none."""
        try:
            answers = _decode_list(body) if body.lstrip().startswith(b"[") else [_decode(body)]
        except UNREADABLE as error:
            raise WireError(f"the answer holds no pictures: {error}") from None
        images = [image for answer in answers for image in answer.images or ()]
        if not images:
            reasons = [r for answer in answers for r in (answer.error, *(answer.finish_reasons or ())) if r]
            if not reasons:
                raise WireError("the answer holds no picture")
            raise StreamFailed(
                f"The model made no picture: {reasons[0]}",
                type="image_generation_user_error",
                code="moderation_blocked",
                status=400,
            )
        return ImageAnswer(
            images=tuple(
                Source(
                    media_type=next(
                        (kind for magic, kind in _MAGIC.items() if image.startswith(magic)), None
                    ),
                    data=image,
                )
                for image in images
            ),
            usage=Usage(images=len(images)),
        )

    def usage(self, answer: ImageAnswer, request: ImageRequest) -> Usage:
        """Count the pictures, by which these models are paid."""
        del request
        return answer.usage or Usage(images=len(answer.images))


def _for_amazon(request: ImageRequest, losses: Losses) -> dict[str, Any]:
    if request.n is not None and request.n > _MOST:
        losses.cannot("n")
    if request.output_format not in {None, "png"}:
        losses.cannot("output_format")
    settings: dict[str, Any] = {"numberOfImages": request.n or 1}
    if request.size is not None:
        settings |= {"width": request.size[0], "height": request.size[1]}
    if request.quality not in {None, "auto"}:
        quality = _QUALITIES.get(request.quality or "")
        if quality is None:
            losses.cannot("quality")
        settings["quality"] = quality
    if request.images:
        wish: dict[str, Any] = {"images": [image.data for image in request.images]}
        if request.prompt:
            wish["text"] = request.prompt
        task = {"taskType": "IMAGE_VARIATION", "imageVariationParams": wish}
    else:
        task = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": request.prompt}}
    return {**task, "imageGenerationConfig": settings}


def _for_stability(request: ImageRequest, losses: Losses) -> bytes:
    if request.images:
        losses.cannot("images")
    if request.quality not in {None, "auto", "standard"}:
        losses.cannot("quality")
    fields: dict[str, Any] = {"prompt": request.prompt}
    if request.size is not None:
        ratio = nearest_ratio(request.size, _RATIOS)
        if ratio is None:
            losses.cannot("size")
        fields["aspect_ratio"] = ratio
    if request.output_format is not None:
        if request.output_format not in _FORMATS:
            losses.cannot("output_format")
        fields["output_format"] = request.output_format
    body = msgspec.json.encode(fields)
    n = request.n or 1
    return body if n == 1 else b"[" + b",".join([body] * n) + b"]"
