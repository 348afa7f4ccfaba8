"""LangChain's model for Gemini."""

from __future__ import annotations

from typing import Any

import chains
import harness as h
from langchain_google_genai import ChatGoogleGenerativeAI


def make(model: str, **more: Any) -> ChatGoogleGenerativeAI:
    """Make a model."""
    where: Any = {"base_url": h.url(), "api_key": h.key()}
    return ChatGoogleGenerativeAI(model=model, max_retries=1, timeout=20, **where, **more)


h.main(chains.cells(make, {"include_thoughts": True, "thinking_budget": 1024}, Exception))
