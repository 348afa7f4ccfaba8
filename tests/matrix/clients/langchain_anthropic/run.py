"""LangChain's model for Anthropic."""

from __future__ import annotations

from typing import Any

import anthropic
import chains
import harness as h
from langchain_anthropic import ChatAnthropic


def make(model: str, **more: Any) -> ChatAnthropic:
    """Make a model."""
    where: Any = {"base_url": h.url(), "api_key": h.key(), "model_name": model, "max_tokens": 4096}
    return ChatAnthropic(max_retries=0, timeout=20, stop=None, **where, **more)


THOUGHTS = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
h.main(chains.cells(make, THOUGHTS, anthropic.RateLimitError))
