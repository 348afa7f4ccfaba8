"""Pictures by Imagen: `predict`, with instances and parameters, in AI Studio and on Vertex AI alike.

https://ai.google.dev/api/imagen and https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/imagen-api
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.wire.canonical.image import ImageRequest
from gateway.wire.canonical.parts import Source
from gateway.wire.codec import Losses
from gateway.wire.gemini_sizes import shape

_RATIOS: Final = ("1:1", "3:4", "4:3", "9:16", "16:9")
_STEPS: Final = ((1792, None), (3072, "2K"))
"""The longer side up to which a name of a size is meant; the smallest needs none."""
_MOST: Final = 4
"""Pictures in one request."""
_FORMATS: Final = frozenset({"png", "jpeg"})
_COMPRESSION: Final = "output_compression"
"""OpenAI's word for how good a JPEG is to be, from 0 to 100."""


class Prediction(Struct, rename="camel"):
    """One picture, or why there is none."""

    bytes_base64_encoded: str | None = None
    mime_type: str | None = None
    rai_filtered_reason: str | None = None

    def picture(self) -> Source | None:
        """Return the picture."""
        data = self.bytes_base64_encoded
        return Source(media_type=self.mime_type or "image/png", data=data) if data else None


def is_imagen(model: str) -> bool:
    """Whether a model is one of Imagen's, which know nothing of `generateContent`."""
    return model.rpartition("/")[2].startswith("imagen")


def encode_request(request: ImageRequest, losses: Losses) -> bytes:
    """Write a request, or an array of them where more pictures are wanted than one may ask for."""
    _note_unsaid(request, losses)
    # A picture that is withheld would otherwise only be missing.
    size = shape(request.size, losses, ratios=_RATIOS, sizes=_STEPS, field="sampleImageSize")
    parameters: dict[str, Any] = {"includeRaiReason": True, **size}
    if request.output_format is not None:
        parameters["outputOptions"] = _output(request)
    wanted = request.n or 1
    bodies = [
        msgspec.json.encode(
            {
                "instances": [{"prompt": request.prompt}],
                "parameters": {"sampleCount": min(_MOST, wanted - made), **parameters},
            }
        )
        for made in range(0, wanted, _MOST)
    ]
    return bodies[0] if len(bodies) == 1 else b"[" + b",".join(bodies) + b"]"


def _note_unsaid(request: ImageRequest, losses: Losses) -> None:
    is_jpeg = request.output_format == "jpeg"
    unsaid = {
        "quality": request.quality not in {None, "auto", "standard"},
        "background": request.background not in {None, "auto", "opaque"},
        "output_format": request.output_format not in {None, *_FORMATS},
        "images": bool(request.images),
        "mask": request.mask is not None,
        "user": request.user is not None,
        **{name: name != _COMPRESSION or not is_jpeg for name in request.extra},
    }
    losses.cannot_any(unsaid)


def _output(request: ImageRequest) -> dict[str, Any]:
    quality = request.extra.get(_COMPRESSION)
    fields: dict[str, Any] = {"mimeType": f"image/{request.output_format}"}
    return {**fields, **({"compressionQuality": quality} if quality is not None else {})}
