"""Takes on video jobs that are done after a second. Whatever is to be remembered stands in the id of the job.

https://platform.openai.com/docs/api-reference/videos
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any, Final

import msgspec

from gateway.errors import InvalidRequest
from gateway.wire import multipart

_WORKS: Final = 1.0
"""Seconds that a job takes."""
_KEPT: Final = 3600
_ID: Final = re.compile(r"video_([0-9a-f]{1,12})_([0-9]{1,4})_[0-9a-f]{8}")
_FILM: Final = b"\0\0\0\x14ftypisom\0\0\2\0isom\0\0\0\x08mdat"
"""An MP4 without a picture in it: its two first boxes (ISO/IEC 14496-12)."""


def read(body: bytes, content_type: str) -> tuple[str, str]:
    """Return prompt and seconds; raises `InvalidRequest` as OpenAI would answer 400."""
    fields: dict[str, Any]
    if multipart.is_form(content_type):
        form = multipart.parse(body, content_type)
        fields = {name: form.text(name) for name in ("prompt", "seconds")}
    else:
        fields = msgspec.json.decode(body)
    prompt, seconds = str(fields.get("prompt") or ""), str(fields.get("seconds") or "4")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 4):  # noqa: PLR2004 - over two hours
        raise InvalidRequest("Invalid 'seconds': expected a whole number.", param="seconds")
    return prompt, seconds


def started(prompt: str, seconds: str, model: str) -> bytes:
    """Take on a job."""
    now = time.time()
    digest = hashlib.sha256(f"{prompt} {now}".encode()).hexdigest()[:8]
    return _shown(f"video_{int(now * 1000):x}_{seconds}_{digest}", model)


def shown(id: str, model: str) -> bytes | None:
    """Describe a job; None when there is no such one."""
    return _shown(id, model) if _ID.fullmatch(id) else None


def content(id: str, model: str) -> bytes | None:
    """Return the film, or None when there is none (yet)."""
    found = shown(id, model)
    return _FILM if found and msgspec.json.decode(found)["status"] == "completed" else None


def deleted(id: str) -> bytes:
    """Say that a job is deleted."""
    return msgspec.json.encode({"id": id, "object": "video.deleted", "deleted": True})


def _shown(id: str, model: str) -> bytes:
    found = _ID.fullmatch(id)
    assert found is not None, "the caller has looked"
    created = int(found[1], 16) / 1000
    done = time.time() >= created + _WORKS
    return msgspec.json.encode(
        {
            "id": id,
            "object": "video",
            "created_at": int(created),
            "completed_at": int(created + _WORKS) if done else None,
            "expires_at": int(created) + _KEPT if done else None,
            "error": None,
            "model": model,
            "progress": 100 if done else 0,
            "seconds": found[2],
            "size": "720x1280",
            "status": "completed" if done else "queued",
        }
    )
