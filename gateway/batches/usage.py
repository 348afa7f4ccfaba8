"""What a batch has used, as OpenAI tells it: https://platform.openai.com/docs/api-reference/batch/object."""

from __future__ import annotations

from typing import Any

from gateway.store.batch_runs import Tally


def usage_object(used: Tally) -> dict[str, Any]:
    """Tell usage."""
    return {
        "input_tokens": used.prompt,
        "input_tokens_details": {"cached_tokens": used.cached_read},
        "output_tokens": used.completion,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.prompt + used.completion,
    }
