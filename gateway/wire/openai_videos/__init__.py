"""OpenAI video jobs. https://platform.openai.com/docs/api-reference/videos."""

from __future__ import annotations

from gateway.wire.openai_videos.codec import OpenAIVideosCodec
from gateway.wire.openai_videos.wire import OpenAIVideoRemix, OpenAIVideos

__all__ = ["OpenAIVideoRemix", "OpenAIVideos", "OpenAIVideosCodec"]
