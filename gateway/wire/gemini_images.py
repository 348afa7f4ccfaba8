"""Pictures by Gemini's image models and by Imagen, as a provider's dialect.

https://ai.google.dev/gemini-api/docs/image-generation: `generateContent` with pictures in the answer. Imagen has words of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from gateway.errors import InvalidRequest
from gateway.types import Dialect, Usage
from gateway.wire import gemini_imagen
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical.image import ImageAnswer, ImageRequest
from gateway.wire.canonical.parts import Image, Source
from gateway.wire.codec import Losses
from gateway.wire.dialect import StreamFailed, WireError
from gateway.wire.estimate import estimated_tokens
from gateway.wire.gemini_generate import media
from gateway.wire.gemini_generate.shapes import Response, usage_of
from gateway.wire.gemini_generate.signatures import standard
from gateway.wire.gemini_sizes import shape
from gateway.wire.provider_only import ProviderOnly

_RATIOS: Final = ("1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9")
_STEPS: Final = ((1792, None), (3072, "2K"), (6144, "4K"))
"""The longer side up to which a name of a size is meant; the smallest needs none, and not every model has others."""


class _Answer(Response, rename="camel"):
    predictions: list[gemini_imagen.Prediction] | None = None
    """Imagen's."""


_decode = msgspec.json.Decoder(_Answer).decode
_decode_list = msgspec.json.Decoder(list[_Answer]).decode


class GeminiImages(ProviderOnly[ImageRequest, ImageAnswer]):
    """Pictures, made or edited. For several, the body is an array of requests, and so is the answer."""

    dialect: Dialect = "gemini.images"
    content_type = "application/json"

    def encode_request(self, request: ImageRequest, model: str, losses: Losses) -> bytes:
        """Write a request; what Gemini has no word for is told to `losses`."""
        if request.stream:
            raise InvalidRequest("This model cannot stream pictures while they grow.", param="stream")
        if not request.prompt:
            raise InvalidRequest(
                "This model makes no variations; edit the picture with a prompt.", param="image"
            )
        if gemini_imagen.is_imagen(model):
            return gemini_imagen.encode_request(request, losses)
        _note_unsaid(request, losses)
        parts: list[dict[str, Any]] = [media.written(Image(source=image)) for image in request.images]
        settings: dict[str, Any] = {"responseModalities": ["TEXT", "IMAGE"]}
        size = shape(request.size, losses, ratios=_RATIOS, sizes=_STEPS, field="imageSize")
        if size:
            settings["imageConfig"] = size
        body = msgspec.json.encode(
            {
                "contents": [{"role": "user", "parts": [*parts, {"text": request.prompt}]}],
                "generationConfig": settings,
            }
        )
        n = request.n or 1
        return body if n == 1 else b"[" + b",".join([body] * n) + b"]"

    def decode_answer(self, body: bytes) -> ImageAnswer:
        """Read pictures. Raises `WireError` or `StreamFailed` when there is none."""
        try:
            answers = _decode_list(body) if body.lstrip().startswith(b"[") else [_decode(body)]
        except UNREADABLE as error:
            raise WireError(f"the answer is not what Gemini sends: {error}") from None
        images = tuple(image for answer in answers for image in _images(answer))
        if not images:
            raise _refused(answers)
        # Imagen is paid by the picture, and counts no tokens.
        if any(answer.predictions for answer in answers):
            return ImageAnswer(images=images, usage=Usage(images=len(images)))
        used = [usage_of(answer.usage_metadata) for answer in answers]
        known = [usage for usage in used if usage is not None]
        total = Usage(
            prompt_tokens=sum(usage.prompt_tokens for usage in known),
            completion_tokens=sum(usage.completion_tokens for usage in known),
            reasoning_tokens=sum(usage.reasoning_tokens for usage in known),
            images=len(images),
        )
        return ImageAnswer(images=images, usage=total if len(known) == len(answers) else None)

    def usage(self, answer: ImageAnswer, request: ImageRequest) -> Usage:
        """Tell the tokens that Gemini counted, and the pictures."""
        tokens = estimated_tokens(len(request.prompt))
        return answer.usage or Usage(prompt_tokens=tokens, images=len(answer.images), estimated=True)


def _note_unsaid(request: ImageRequest, losses: Losses) -> None:
    unsaid = {
        "quality": request.quality not in {None, "auto", "standard"},
        "background": request.background not in {None, "auto", "opaque"},
        "output_format": request.output_format not in {None, "png"},
        "mask": request.mask is not None,
        "images": any(image.file is not None for image in request.images),
        "user": request.user is not None,
        **dict.fromkeys(request.extra, True),
    }
    losses.cannot_any(unsaid)


def _images(answer: _Answer) -> list[Source]:
    """Return the pictures of an answer, without those that were only thought of."""
    made = [prediction.picture() for prediction in answer.predictions or ()]
    parts = [
        part
        for candidate in answer.candidates or ()
        for part in (candidate.content.parts if candidate.content else None) or ()
        if part.inline_data is not None and not part.thought
    ]
    blobs = [part.inline_data for part in parts if part.inline_data is not None]
    return [
        *(picture for picture in made if picture is not None),
        *(
            Source(media_type=blob.mime_type, data=standard(blob.data or ""))
            for blob in blobs
            if (blob.mime_type or "").startswith("image/")
        ),
    ]


def _refused(answers: list[_Answer]) -> Exception:
    """Tell why there is no picture: Gemini says so with a success."""
    reasons = [reason for answer in answers for reason in _reasons(answer) if reason and reason != "STOP"]
    if not reasons:
        return WireError("the answer holds no picture")
    return StreamFailed(
        f"The model made no picture: {reasons[0].removesuffix('.')}.",
        type="image_generation_user_error",
        code="moderation_blocked",
        status=400,
    )


def _reasons(answer: _Answer) -> Iterator[str | None]:
    yield answer.prompt_feedback.block_reason if answer.prompt_feedback else None
    for candidate in answer.candidates or ():
        yield candidate.finish_reason
    for prediction in answer.predictions or ():
        yield prediction.rai_filtered_reason
