"""Parameters that most providers other than OpenAI have no word for."""

from __future__ import annotations

from collections.abc import Collection

from gateway.wire.canonical import ChatRequest
from gateway.wire.codec import Losses

_NEUTRAL_TIERS = frozenset({"auto", "default"})


def note_unsaid(request: ChatRequest, losses: Losses, *, says: Collection[str] = ()) -> None:
    """Tell `losses` of every such parameter that the request gives a meaning to.

    `says` holds the fields, and the names in `extra`, that the provider's dialect does have.
    """
    asked = {
        "n": request.n not in {None, 1},
        "parallel_tool_calls": request.parallel_tool_calls is False,
        "logit_bias": bool(request.logit_bias),
        "top_logprobs": bool(request.top_logprobs),
        "verbosity": request.verbosity not in {None, "medium"},
        "user": request.user is not None,
        "metadata": bool(request.metadata),
        "service_tier": request.service_tier is not None and request.service_tier not in _NEUTRAL_TIERS,
        "store": request.store is True,
        "cache_key": request.cache_key is not None,
        "modalities": any(kind != "text" for kind in request.modalities),
        "audio": request.audio is not None,
        **{name: value is not None for name, value in request.extra.items()},
    }
    losses.cannot_any({name: meant for name, meant in asked.items() if name not in says})
