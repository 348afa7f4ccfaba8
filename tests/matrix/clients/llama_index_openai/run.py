"""LlamaIndex's model for what is compatible with OpenAI."""

from __future__ import annotations

from typing import Any

import harness as h
import index
import openai
from llama_index.llms.openai_like import OpenAILike


def make(model: str, **more: Any) -> OpenAILike:
    """Make a model."""
    where = {"api_base": f"{h.url()}/v1", "api_key": h.key(), "is_chat_model": True}
    return OpenAILike(model=model, is_function_calling_model=True, max_retries=0, timeout=20, **where, **more)


h.main(index.cells(make, {"additional_kwargs": {"reasoning_effort": "low"}}, openai.RateLimitError))
