"""LangChain's model for OpenAI."""

from __future__ import annotations

from typing import Any

import chains
import harness as h
import openai
from langchain_openai import ChatOpenAI


def make(model: str, **more: Any) -> ChatOpenAI:
    """Make a model."""
    where: Any = {"base_url": f"{h.url()}/v1", "api_key": h.key(), "stream_usage": True}
    return ChatOpenAI(model=model, max_retries=0, timeout=20, **where, **more)


h.main(chains.cells(make, {"reasoning_effort": "low"}, openai.RateLimitError))
