"""What Converse has no field of its own for, and each family of models calls otherwise: top_k and reasoning.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters.html
"""

from __future__ import annotations

import re
from typing import Any, Final

from gateway.wire.anthropic_messages import models as claude
from gateway.wire.canonical import ChatRequest, Reasoning
from gateway.wire.codec import Losses
from gateway.wire.effort import budget_of, effort_of

_CLAUDE: Final = re.compile(r"anthropic\.|claude")
_NOVA: Final = re.compile(r"amazon\.nova")
_NOVA_2: Final = re.compile(r"amazon\.nova-2")
_GPT_OSS: Final = re.compile(r"openai\.gpt")
_COHERE: Final = re.compile(r"cohere\.command")
_MISTRAL: Final = re.compile(r"mistral\.")
_THREE_STEPS: Final = {"minimal": "low", "xhigh": "high", "max": "high"}


def model_fields(request: ChatRequest, model: str, losses: Losses) -> tuple[dict[str, Any], str | None]:
    """Return the `additionalModelRequestFields` for a model, and the effort for `outputConfig`."""
    fields: dict[str, Any] = {}
    if request.top_k is not None:
        fields |= _top_k(request.top_k, model, losses)
    effort = None
    if request.reasoning is not None:
        more, effort = _reasoning(request.reasoning, request.max_tokens, model, losses)
        fields |= more
    return fields, effort


def sampling(request: ChatRequest, model: str, losses: Losses) -> dict[str, float | None]:
    """Return temperature, which goes up to 1 here, and topP; newer Claude models take neither."""
    temperature = None if request.temperature is None else min(request.temperature, 1.0)
    if not _CLAUDE.search(model) or claude.model(model).samples:
        return {"temperature": temperature, "topP": request.top_p}
    for name, value in (("temperature", temperature), ("top_p", request.top_p)):
        if value not in {None, 1.0}:
            losses.cannot(name)
    return {}


def _top_k(top_k: int, model: str, losses: Losses) -> dict[str, Any]:
    takes = claude.model(model).samples if _CLAUDE.search(model) else _MISTRAL.search(model)
    if takes:
        return {"top_k": top_k}
    if _COHERE.search(model):
        return {"k": top_k}
    if _NOVA.search(model):
        return {"inferenceConfig": {"topK": top_k}}
    losses.cannot("top_k")
    return {}


def _reasoning(
    reasoning: Reasoning, max_tokens: int | None, model: str, losses: Losses
) -> tuple[dict[str, Any], str | None]:
    """Ask for thoughts in the words of the model's family. No effort and no budget need no words."""
    effort, budget = reasoning.effort, reasoning.budget
    if effort == "none" or budget == 0 or (effort is None and budget is None):
        return {}, None
    if _CLAUDE.search(model):
        if claude.model(model).adaptive:
            return _adaptive(reasoning)
        return _enabled(reasoning, max_tokens, losses), None
    if effort is not None and _NOVA_2.search(model):
        step = _THREE_STEPS.get(effort, effort)
        return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": step}}, None
    if effort is not None and _GPT_OSS.search(model):
        return {"reasoning_effort": _THREE_STEPS.get(effort, effort)}, None
    if effort is None:
        losses.cannot("reasoning")
    return {}, effort  # in Converse's own field, which more and more families understand


def _enabled(reasoning: Reasoning, max_tokens: int | None, losses: Losses) -> dict[str, Any]:
    budget = reasoning.budget
    if budget is None or budget < 0:
        budget = budget_of(reasoning.effort or "medium")
    budget = max(budget, claude.SMALLEST_BUDGET)
    if max_tokens is not None:  # thoughts are part of the answer, and how long they are is only a wish
        budget = min(budget, max_tokens - 1)
    if budget < claude.SMALLEST_BUDGET:
        losses.cannot("reasoning")
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _adaptive(reasoning: Reasoning) -> tuple[dict[str, Any], str | None]:
    thinking = {"type": "adaptive"}
    if reasoning.summary is not None:
        thinking["display"] = "omitted" if reasoning.summary == "none" else "summarized"
    effort = reasoning.effort
    if effort is None and reasoning.budget is not None and reasoning.budget > 0:
        effort = effort_of(reasoning.budget)
    return {"thinking": thinking}, "low" if effort == "minimal" else effort
