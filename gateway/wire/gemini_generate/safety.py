"""Safety results in Gemini's shape. https://ai.google.dev/api/generate-content#SafetyRating.

OpenAI's models on Azure tell theirs otherwise: https://learn.microsoft.com/azure/ai-foundry/openai/concepts/content-filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, cast

_CATEGORIES: Final = MappingProxyType(
    {"hate": "HARM_CATEGORY_HATE_SPEECH", "sexual": "HARM_CATEGORY_SEXUALLY_EXPLICIT"}
)
"""What both name; Gemini has no word for the others that Azure looks for."""
_PROBABILITIES: Final = MappingProxyType(
    {"safe": "NEGLIGIBLE", "low": "LOW", "medium": "MEDIUM", "high": "HIGH"}
)


def written(safety: Any) -> list[Any] | None:
    """Return the ratings to show to a client of Gemini; None when there is none that it could read."""
    if isinstance(safety, list):
        found = cast("list[Any]", safety)
        return found if all(isinstance(one, dict) for one in found) else None
    if not isinstance(safety, dict):
        return None
    ratings = [_rating(name, one) for name, one in cast("dict[str, Any]", safety).items()]
    return [one for one in ratings if one is not None] or None


def _rating(name: str, found: Any) -> Mapping[str, Any] | None:
    if name not in _CATEGORIES or not isinstance(found, dict):
        return None
    fields = cast("dict[str, Any]", found)
    probability = _PROBABILITIES.get(str(fields.get("severity")))
    if probability is None:
        return None
    rating: dict[str, Any] = {"category": _CATEGORIES[name], "probability": probability}
    return {**rating, "blocked": True} if fields.get("filtered") is True else rating
