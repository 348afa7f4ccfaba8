"""How much to think, for dialects that say it in words and those that say it in tokens.

The figures are those that Google documents for its OpenAI compatibility:
https://ai.google.dev/gemini-api/docs/openai#thinking
"""

from __future__ import annotations

from typing import Final

_BUDGETS: Final = (("minimal", 1024), ("low", 1024), ("medium", 8192), ("high", 24_576))


def effort_of(budget: int) -> str | None:
    """Return the effort nearest to a budget of tokens: `none` for 0, None for -1, which leaves it to the model."""
    if budget <= 0:
        return "none" if budget == 0 else None
    return next((effort for effort, tokens in _BUDGETS[1:] if budget <= tokens), "high")


def budget_of(effort: str) -> int:
    """Return the tokens for an effort: 0 for `none`; `xhigh`, `max` and what is unknown count as `high`."""
    return 0 if effort == "none" else dict(_BUDGETS).get(effort, _BUDGETS[-1][1])
