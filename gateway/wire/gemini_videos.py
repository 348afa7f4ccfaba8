"""Films by Google's Veo, as a provider's dialect: `predictLongRunning`. https://ai.google.dev/gemini-api/docs/video."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical.video import USUAL_SECONDS, VideoAnswer, VideoRequest
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.pixels import nearest_ratio
from gateway.wire.provider_only import ProviderOnly

_RATIOS: Final = ("16:9", "9:16")
_RESOLUTIONS: Final = {720: "720p", 1024: "1080p", 1080: "1080p", 2160: "4k"}
"""By the shorter side."""


class _Operation(Struct):
    name: str


_decode = msgspec.json.Decoder(_Operation).decode


class GeminiVideos(ProviderOnly[VideoRequest, VideoAnswer]):
    """A film to be made; the answer is an operation."""

    dialect: Dialect = "gemini.videos"
    content_type = "application/json"

    def encode_request(self, request: VideoRequest, model: str, losses: Losses) -> bytes:
        """Write a request; what Veo has no word for is told to `losses`."""
        del model
        for name in request.extra:
            losses.cannot(name)
        instance: dict[str, Any] = {"prompt": request.prompt}
        image = request.image
        if image is not None and image.data is None:
            losses.cannot("image")
        elif image is not None:
            instance["image"] = {"bytesBase64Encoded": image.data, "mimeType": image.media_type}
        settings: dict[str, Any] = {}
        if request.seconds is not None:
            settings["durationSeconds"] = request.seconds
        if request.size is not None:
            ratio = nearest_ratio(request.size, _RATIOS)
            resolution = _RESOLUTIONS.get(min(request.size))
            if ratio is None or resolution is None:
                losses.cannot("size")
            else:
                settings |= {"aspectRatio": ratio, "resolution": resolution}
        return msgspec.json.encode({"instances": [instance], "parameters": settings})

    def decode_answer(self, body: bytes) -> VideoAnswer:
        """Read the name of the operation. Raises `WireError` when there is none."""
        try:
            return VideoAnswer(id=_decode(body).name)
        except UNREADABLE as error:
            raise WireError(f"the answer names no operation: {error}") from None

    def usage(self, answer: VideoAnswer, request: VideoRequest) -> Usage:
        """Count the seconds that were asked for."""
        del answer
        return Usage(seconds=float(request.seconds or USUAL_SECONDS), estimated=request.seconds is None)
