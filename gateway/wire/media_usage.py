"""The `usage` objects of OpenAI's answers with pictures and sound: tokens, or seconds.

https://platform.openai.com/docs/api-reference/images/object and …/audio/json-object
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
from msgspec import Struct

from gateway.types import Usage


class _Details(Struct):
    audio_tokens: int | None = None


class _Usage(Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_token_details: _Details | None = None
    seconds: float | None = None


def read_usage(raw: Any, *, images: int = 0) -> Usage | None:
    """Read a decoded `usage` object; None when it tells neither tokens nor seconds."""
    try:
        said = msgspec.convert(raw, _Usage)
    except msgspec.ValidationError:
        return None
    if said.input_tokens is None and said.seconds is None:
        return None
    details = said.input_token_details or _Details()
    return Usage(
        prompt_tokens=said.input_tokens or 0,
        completion_tokens=said.output_tokens or 0,
        audio_prompt_tokens=details.audio_tokens or 0,
        seconds=said.seconds or 0.0,
        images=images,
    )


def read_seconds(raw: Any) -> float | None:
    """Read a duration, which some services send as text; None for what is none."""
    try:
        seconds = float(raw) if isinstance(raw, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
