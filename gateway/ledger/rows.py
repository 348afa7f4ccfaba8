"""A call as rows: the intent, the settlement, its share of a usage bucket, its place in the outbox."""

from __future__ import annotations

from typing import Any

from gateway.store import Add, Insert, Transition
from gateway.store.tables import model_calls, outbox, usage_buckets
from gateway.types import Call, Outcome, Usage

BUCKET = 900
"""Usage is rolled up by quarters of an hour of the time a call was received."""

_MOST_TOKENS = 2**31 - 1
_HIGHEST_COST = 10**17
_LONGEST_MESSAGE = 1000

_CALL = (
    "id",
    "request_id",
    "client_request_id",
    "tenant",
    "user",
    "key",
    "key_name",
    "capability",
    "dialect",
    "model",
    "stream",
    "worker",
    "received_at",
)
_OUTCOME = (
    "status",
    "provider",
    "upstream_model",
    "attempts",
    "http_status",
    "first_byte_at",
    "ended_at",
    "prompt_tokens",
    "completion_tokens",
    "cached_read_tokens",
    "cached_write_tokens",
    "reasoning_tokens",
    "estimated",
    "price_version",
    "cost",
    "error_code",
    "error_message",
)

OPEN = Insert(model_calls, *_CALL, "status")
"""The intent: values of `call_values`, then `("processing",)`."""

SETTLE = Transition(model_calls, *_OUTCOME, leaves="processing")
"""The end of an open call: values of `outcome_values`, then the id."""

RECORD = Insert(model_calls, *_CALL, *_OUTCOME)
"""A call that was not written when it was opened: values of `call_values`, then of `outcome_values`."""

COUNT = Add(usage_buckets)
"""A call's share of its usage bucket: values of `bucket_values`."""

SEND = Insert(outbox, "sink", "call")
"""A settled call waits for a sink."""


def call_values(call: Call, worker: str) -> tuple[Any, ...]:
    principal = call.principal
    return (
        call.id,
        clean(call.request_id, 60),
        clean(call.client_request_id, 200),
        clean(principal.tenant, 64),
        clean(principal.user, 200),
        clean(principal.key, 40),
        clean(principal.key_name, 200),
        call.capability,
        call.dialect,
        clean(call.model, 200),
        call.stream,
        worker,
        call.received_at,
    )


def outcome_values(outcome: Outcome, usage: tuple[int, ...] | None, cost: int | None) -> tuple[Any, ...]:
    """`usage` and `cost` as `bounded` gives them."""
    return (
        outcome.status,
        clean(outcome.provider, 100),
        clean(outcome.upstream_model, 200),
        outcome.attempts,
        outcome.http_status,
        outcome.first_byte_at,
        outcome.ended_at,
        *(usage or (None, None, None, None, None)),
        outcome.usage is not None and outcome.usage.estimated,
        clean(outcome.price_version, 40),
        cost,
        clean(outcome.error_code, 60),
        clean(outcome.error_message, _LONGEST_MESSAGE),
    )


def bucket_values(
    call: Call, outcome: Outcome, usage: tuple[int, ...] | None, cost: int | None
) -> tuple[Any, ...]:
    """`usage` and `cost` as `bounded` gives them."""
    received = int(call.received_at)
    return (
        received - received % BUCKET,
        clean(call.principal.tenant, 64),
        clean(call.principal.key, 40) or "",
        clean(call.model, 200),
        clean(outcome.provider, 100) or "",
        1,
        0 if outcome.status == "success" else 1,
        *(usage or (0, 0, 0, 0, 0)),
        cost or 0,
    )


def bounded(usage: Usage | None, cost: int | None) -> tuple[tuple[int, ...] | None, int | None]:
    """Tokens and cost within what the columns hold, whatever a provider claims."""
    tokens = None
    if usage is not None:
        tokens = (
            _within(usage.prompt_tokens, _MOST_TOKENS),
            _within(usage.completion_tokens, _MOST_TOKENS),
            _within(usage.cached_read_tokens, _MOST_TOKENS),
            _within(usage.cached_write_tokens, _MOST_TOKENS),
            _within(usage.reasoning_tokens, _MOST_TOKENS),
        )
    return tokens, None if cost is None else _within(cost, _HIGHEST_COST)


def _within(number: int, most: int) -> int:
    return number if 0 <= number <= most else max(0, min(number, most))


def clean(value: str | None, length: int) -> Any:
    """Text that every database takes: cut to the column's length, without NUL and lone surrogates."""
    if value is None:
        return None
    if len(value) > length:
        value = value[:length]
    if value.isprintable():
        return value
    return value.replace("\0", "\ufffd").encode(errors="replace").decode()
