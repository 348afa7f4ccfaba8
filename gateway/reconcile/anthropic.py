"""Anthropic's usage and cost: pages of `GET /v1/organizations/usage_report/messages` and `…/cost_report`.

https://platform.claude.com/docs/en/api/admin/usage_report/retrieve_messages
https://platform.claude.com/docs/en/api/admin/cost_report/retrieve
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError
from gateway.reconcile.export import Bucket, Export, Line, check_span, nano

_CENTS: Final = 100
"""Costs are told in the currency's smallest unit."""


class _Created(Struct, frozen=True):
    ephemeral_1h_input_tokens: int = 0
    ephemeral_5m_input_tokens: int = 0


class _Result(Struct, frozen=True):
    model: str | None = None
    uncached_input_tokens: int | None = None
    cache_creation: _Created = _Created()
    cache_read_input_tokens: int = 0
    output_tokens: int = 0
    amount: Decimal | None = None
    currency: str = "USD"
    description: str | None = None
    cost_type: str | None = None


class _Bucket(Struct, frozen=True):
    starting_at: datetime
    ending_at: datetime
    results: Sequence[_Result]


class _Page(Struct, frozen=True):
    data: Sequence[_Bucket]


def read_anthropic(where: str, data: bytes) -> Export:
    """Read one page. Raises `GatewayError` for what is none, naming the place in it."""
    try:
        page = msgspec.json.decode(data, type=_Page)
    except msgspec.DecodeError as error:
        raise GatewayError(f"{where}: not a page of Anthropic's usage or cost report: {error}") from error
    results = [result for bucket in page.data for result in bucket.results]
    costs = [result.amount is not None for result in results]
    if not costs or any(costs) != all(costs):
        raise GatewayError(
            f"{where}: holds {'several kinds of' if costs else 'no'} results; give one kind a file."
        )
    buckets: list[Bucket] = []
    for bucket in page.data:
        start, end = bucket.starting_at.timestamp(), bucket.ending_at.timestamp()
        check_span(where, start, end)
        buckets.append(
            Bucket(start=start, end=end, lines=[_line(where, result) for result in bucket.results])
        )
    if all(costs):
        return Export(kind="costs", measures=("cost",), capabilities=None, buckets=buckets)
    measures = ("prompt_tokens", "completion_tokens", "cached_read_tokens", "cached_write_tokens")
    return Export(kind="usage of messages", measures=measures, capabilities=None, buckets=buckets)


def _line(where: str, result: _Result) -> Line:
    if result.amount is not None:
        model = result.model or result.cost_type or result.description
        return Line(model=model, values={"cost": nano(where, result.amount / _CENTS, result.currency)})
    if result.uncached_input_tokens is None:
        raise GatewayError(f"{where}: a result has neither uncached_input_tokens nor an amount.")
    written = (
        result.cache_creation.ephemeral_1h_input_tokens + result.cache_creation.ephemeral_5m_input_tokens
    )
    values = {
        "prompt_tokens": result.uncached_input_tokens + result.cache_read_input_tokens + written,
        "completion_tokens": result.output_tokens,
        "cached_read_tokens": result.cache_read_input_tokens,
        "cached_write_tokens": written,
    }
    return Line(model=result.model, values=values)
