"""How much a model is to think: an effort for newer Claude models, a budget of tokens for older ones.

https://platform.claude.com/docs/en/build-with-claude/thinking
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.wire.anthropic_messages import models
from gateway.wire.canonical import ChatRequest, Reasoning
from gateway.wire.codec import Losses
from gateway.wire.effort import budget_of, effort_of

_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})


def shows_thoughts(request: ChatRequest) -> bool:
    """Whether the client has asked for thoughts, and so knows what to do with their blocks."""
    reasoning = request.reasoning
    return reasoning is not None and reasoning.effort != "none" and reasoning.budget != 0


def effort_field(reasoning: Reasoning, model: models.Model, *, own: bool) -> str | None:
    """Return `output_config.effort`; `own` when Anthropic's own client asked, whose words stay what they are."""
    effort, budget = reasoning.effort, reasoning.budget
    if effort == "none":
        return None
    if own:
        return effort
    if not model.adaptive:
        return None
    if effort is None and budget is not None and budget > 0:
        return effort_of(budget)
    return "low" if effort == "minimal" else effort


def thinking_field(
    reasoning: Reasoning, model: models.Model, most: int, losses: Losses, *, own: bool
) -> dict[str, Any] | None:
    """Return `thinking`; None leaves it to the model. `most` is the limit of the whole answer."""
    if reasoning.effort == "none" or reasoning.budget == 0:
        return {"type": model.no_thinking}
    thinking = _own(reasoning) if own else _translated(reasoning, model, most, losses)
    if thinking is not None and reasoning.summary is not None:
        thinking["display"] = "omitted" if reasoning.summary == "none" else "summarized"
    return thinking


def calls_unthought(turns: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the conversation ends with results of tools that were called without a thought, as far as can be seen.

    With a budget for thinking, Anthropic refuses that: many clients do not give thoughts back, and other models have none.
    """
    if not turns or not any(block["type"] == "tool_result" for block in _blocks(turns[-1])):
        return False
    last = next((_blocks(turn) for turn in reversed(turns) if turn["role"] == "assistant"), ())
    return bool(last) and last[0]["type"] not in _THOUGHTS


def _blocks(turn: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return () if isinstance(turn["content"], str) else turn["content"]


def _own(reasoning: Reasoning) -> dict[str, Any] | None:
    if reasoning.budget is None:
        return None
    if reasoning.budget < 0:
        return {"type": "adaptive"}
    return {"type": "enabled", "budget_tokens": reasoning.budget}


def _translated(
    reasoning: Reasoning, model: models.Model, most: int, losses: Losses
) -> dict[str, Any] | None:
    effort, budget = reasoning.effort, reasoning.budget
    if effort is None and budget is None:
        return None
    if model.adaptive:
        return {"type": "adaptive"}
    if budget is None or budget < 0:
        budget = budget_of(effort or "medium")
    # How much to think is a wish, where the limit of the answer is none.
    budget = min(max(budget, models.SMALLEST_BUDGET), most - 1)
    if budget < models.SMALLEST_BUDGET:
        losses.cannot("reasoning")
        return None
    return {"type": "enabled", "budget_tokens": budget}
