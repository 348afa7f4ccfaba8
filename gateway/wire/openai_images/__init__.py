"""OpenAI images: made, edited, varied. https://platform.openai.com/docs/api-reference/images."""

from __future__ import annotations

from gateway.wire.openai_images.codec import OpenAIImagesCodec
from gateway.wire.openai_images.wire import OpenAIImageEdits, OpenAIImages, OpenAIImageVariations

__all__ = ["OpenAIImageEdits", "OpenAIImageVariations", "OpenAIImages", "OpenAIImagesCodec"]
