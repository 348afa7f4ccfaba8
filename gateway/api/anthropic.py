"""What Anthropic's clients expect beside their dialect: headers, the list of models, the shape of every error.

https://platform.claude.com/docs/en/api/overview, …/api/rate-limits and …/api/models/list
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.api.manners import Manners
from gateway.errors import InvalidRequest
from gateway.types import ModelInfo, RawHeaders

_LIMIT = re.compile(rb"x-ratelimit-(limit|remaining|reset)-(requests|tokens)")
_SECONDS = re.compile(rb"(\d+)s")
_VERSION: Final = "anthropic-version"
_PAGE: Final = 20
_LONGEST_PAGE: Final = 1_000
_DIGITS: Final = 9


def rename(headers: RawHeaders, request_id: str) -> RawHeaders:
    """Tell limits as Anthropic does, a reset as a time (RFC 3339), and the request's id as `request-id`."""
    renamed = [_renamed(name, value) for name, value in headers]
    renamed.append((b"request-id", request_id.encode()))
    return renamed


ANTHROPIC: Final = Manners(forwarded=(b"anthropic-version", b"anthropic-beta"), rename=rename)


def speaks_anthropic(request: Request) -> bool:
    """Whether a request outside of calls comes from one of Anthropic's clients: by its header, or by its path."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return _VERSION in request.headers or path == "/v1/messages" or path.startswith("/v1/messages/")


def named(response: Response, request: Request) -> Response:
    """Put the headers of a response outside of calls into Anthropic's words."""
    response.raw_headers[:] = rename(response.raw_headers, request.scope["gateway.request_id"])
    return response


def model_fields(model: ModelInfo) -> dict[str, Any]:
    """Describe a model. Where it is not known when it was released, Anthropic gives the epoch."""
    created = datetime.fromtimestamp(model.created, UTC)
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.id,
        "created_at": _time(created),
        "lifecycle": "active",
        "max_input_tokens": model.context_window,
        "max_tokens": model.max_output_tokens,
    }


def model_page(models: Sequence[ModelInfo], query: Mapping[str, str]) -> dict[str, Any]:
    """Return one page of models: after `after_id` or before `before_id`. Raises `InvalidRequest` for a bad limit."""
    limit = _limit(query.get("limit", str(_PAGE)))
    ids = [model.id for model in models]
    after, before = query.get("after_id"), query.get("before_id")
    if after is not None:
        rest = models[ids.index(after) + 1 :] if after in ids else ()
        page, has_more = rest[:limit], len(rest) > limit
    elif before is not None:
        rest = models[: ids.index(before)] if before in ids else ()
        page, has_more = rest[-limit:], len(rest) > limit
    else:
        page, has_more = models[:limit], len(models) > limit
    data = [model_fields(model) for model in page]
    return {
        "data": data,
        "has_more": has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and 1 <= int(text) <= _LONGEST_PAGE):
        raise InvalidRequest(f"limit: must be a number from 1 to {_LONGEST_PAGE}.", param="limit")
    return int(text)


def _renamed(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    found = _LIMIT.fullmatch(name)
    if found is None:
        return name, value
    if found[1] == b"reset" and (seconds := _SECONDS.fullmatch(value)):
        value = _time(datetime.now(UTC) + timedelta(seconds=int(seconds[1]))).encode()
    return b"anthropic-ratelimit-%b-%b" % (found[2], found[1]), value


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
