"""What OpenAI's lists take in their query: how many, in which order."""

from __future__ import annotations

from starlette.requests import Request

from gateway.errors import InvalidRequest

_DIGITS = 9


def limit_of(request: Request, *, usual: int, most: int) -> int:
    """Return how many are asked for. Raises `InvalidRequest` unless it is a number from 1 to `most`."""
    text = request.query_params.get("limit", str(usual))
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and 1 <= int(text) <= most):
        raise InvalidRequest(f"Invalid value for 'limit': expected a number from 1 to {most}.", param="limit")
    return int(text)


def newest_first(request: Request) -> bool:
    """Whether the newest are to come first, as they do unless `order` says otherwise. Raises `InvalidRequest`."""
    order = request.query_params.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise InvalidRequest("Invalid value for 'order': expected 'asc' or 'desc'.", param="order")
    return order == "desc"
