"""OpenAI responses. https://platform.openai.com/docs/api-reference/responses."""

from __future__ import annotations

from gateway.wire.openai_responses.codec import ResponsesCodec
from gateway.wire.openai_responses.shape import begun, error_of, new_id, response_of
from gateway.wire.openai_responses.wire import OpenAIResponses, ResponsesReader

__all__ = [
    "OpenAIResponses",
    "ResponsesCodec",
    "ResponsesReader",
    "begun",
    "error_of",
    "new_id",
    "response_of",
]
