"""What a batch has used, as OpenAI tells it: https://platform.openai.com/docs/api-reference/batch/object."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from gateway.store.batch_runs import Tally
from gateway.types import Usage


class _Input(Struct):
    cached_tokens: int = 0


class _Output(Struct):
    reasoning_tokens: int = 0


class _Usage(Struct):
    input_tokens: int
    output_tokens: int
    input_tokens_details: _Input | None = None
    output_tokens_details: _Output | None = None


def usage_object(used: Tally) -> dict[str, Any]:
    """Tell usage."""
    return {
        "input_tokens": used.prompt,
        "input_tokens_details": {"cached_tokens": used.cached_read},
        "output_tokens": used.completion,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.prompt + used.completion,
    }


def usage_of(fields: Any) -> Usage | None:
    """Read usage; None when there is none that can be read."""
    try:
        said = msgspec.convert(fields, _Usage)
    except msgspec.ValidationError:
        return None
    given, made = said.input_tokens_details or _Input(), said.output_tokens_details or _Output()
    return Usage(
        prompt_tokens=said.input_tokens,
        completion_tokens=said.output_tokens,
        cached_read_tokens=given.cached_tokens,
        reasoning_tokens=made.reasoning_tokens,
    )
