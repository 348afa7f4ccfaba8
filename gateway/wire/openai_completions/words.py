"""What completions call things. https://platform.openai.com/docs/api-reference/completions/object."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.wire.canonical import StopReason, TokenLogprob

FINISH: Final[Mapping[StopReason, str]] = MappingProxyType(
    {"length": "length", "context": "length", "content_filter": "content_filter", "refusal": "content_filter"}
)
"""All others are `stop`."""


def logprobs_fields(tokens: tuple[TokenLogprob, ...], offset: int) -> dict[str, Any]:
    """Write how likely the tokens were, in four lists; `offset` is where the first begins in the answer's text."""
    offsets: list[int] = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.token)
    return {
        "tokens": [token.token for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [{top.token: top.logprob for top in token.top} for token in tokens],
        "text_offset": offsets,
    }
