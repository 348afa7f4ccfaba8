"""Video jobs. https://platform.openai.com/docs/api-reference/videos."""

from __future__ import annotations

from gateway.api.videos.endpoints import video_endpoints

__all__ = ["video_endpoints"]
