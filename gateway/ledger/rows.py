"""A call as rows: the intent, the settlement, its share of a usage bucket, its place in the outbox."""

from __future__ import annotations

from typing import Any

from msgspec.json import encode

from gateway.store import Add, Insert, Transition, Write
from gateway.store.tables import model_calls, outbox, usage_buckets
from gateway.types import Call, Outcome, Principal, Usage

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
    "authenticator",
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
    "price_version",
    "cost",
    "charge",
)
_UNUSUAL = ("units", "estimated", "selling", "error_code", "error_message")
_USUAL_VALUES = (None, False, None, None, None)
"""Of the unusual columns, in most calls; an intent has them already."""

_UNITS = (
    "images",
    "seconds",
    "characters",
    "searches",
    "file_searches",
    "containers",
    "batch_percent",
    "audio_prompt_tokens",
    "audio_completion_tokens",
)

OPEN = Insert(model_calls, *_CALL, "status")
"""The intent: values of `call_values`, then `("processing",)`."""

SETTLE = Transition(model_calls, *_OUTCOME, *_UNUSUAL, leaves="processing")
SETTLE_AS_USUAL = Transition(model_calls, *_OUTCOME, leaves="processing")
"""The end of an open call, by `settlement`. Writing no columns that stay as they are saves a fifth of it."""

RECORD = Insert(model_calls, *_CALL, *_OUTCOME, *_UNUSUAL)
"""A call that was not written when it was opened: values of `call_values`, then of `outcome_values`."""

COUNT = Add(usage_buckets)
"""A call's share of its usage bucket: values of `bucket_values`."""

SEND = Insert(outbox, "sink", "call")
"""A settled call waits for a sink."""


def call_values(call: Call, worker: str) -> tuple[Any, ...]:
    principal = call.principal
    return (
        call.id,
        call.request_id,
        clean(call.client_request_id, 200),
        principal.tenant,
        principal.user,
        principal.key,
        principal.key_name,
        call.capability,
        call.dialect,
        clean(call.model, 200),
        call.stream,
        worker,
        call.received_at,
        principal.authenticator or None,
    )


def outcome_values(outcome: Outcome, usage: tuple[int, ...] | None, cost: int | None) -> tuple[Any, ...]:
    """`usage` and `cost` as `bounded` gives them."""
    return (
        outcome.status,
        outcome.provider,
        clean(outcome.upstream_model, 200),
        outcome.attempts,
        outcome.http_status,
        outcome.first_byte_at,
        outcome.ended_at,
        *(usage or (None, None, None, None, None)),
        outcome.price_version,
        cost,
        _money(outcome.charge),
        None if outcome.usage is None else units(outcome.usage),
        outcome.usage is not None and outcome.usage.estimated,
        outcome.selling,
        clean(outcome.error_code, 60),
        clean(outcome.error_message, _LONGEST_MESSAGE),
    )


def settlement(
    id: str, outcome: Outcome, usage: tuple[int, ...] | None, cost: int | None, then: tuple[Write, ...]
) -> Write:
    """The write for the end of an open call. `usage` and `cost` as `bounded` gives them."""
    values = outcome_values(outcome, usage, cost)
    usual = len(_OUTCOME)
    if values[usual:] == _USUAL_VALUES:
        return Write(SETTLE_AS_USUAL, (*values[:usual], id), then)
    return Write(SETTLE, (*values, id), then)


def bucket_values(
    call: Call, outcome: Outcome, usage: tuple[int, ...] | None, cost: int | None
) -> tuple[Any, ...]:
    """`usage` and `cost` as `bounded` gives them."""
    received = int(call.received_at)
    return (
        received - received % BUCKET,
        call.principal.tenant,
        call.principal.key or "",
        clean(call.model, 200),
        outcome.provider or "",
        1,
        0 if outcome.status == "success" else 1,
        *(usage or (0, 0, 0, 0, 0)),
        cost or 0,
        _money(outcome.charge) or 0,
    )


def bounded(usage: Usage | None, cost: int | None) -> tuple[tuple[int, ...] | None, int | None]:
    """Tokens and cost within what the columns hold, whatever a provider claims."""
    tokens = None
    if usage is not None:
        tokens = (
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.cached_read_tokens,
            usage.cached_write_tokens,
            usage.reasoning_tokens,
        )
        if min(tokens) < 0 or max(tokens) > _MOST_TOKENS:
            tokens = tuple(max(0, min(number, _MOST_TOKENS)) for number in tokens)
    return tokens, _money(cost)


def _money(amount: int | None) -> int | None:
    if amount is None or 0 <= amount <= _HIGHEST_COST:
        return amount
    return max(0, min(amount, _HIGHEST_COST))


def clean(value: str | None, length: int) -> Any:
    """Text that every database takes: cut to the column's length, without NUL and lone surrogates."""
    if value is None:
        return None
    if len(value) > length:
        value = value[:length]
    if value.isprintable():
        return value
    return value.replace("\0", "\ufffd").encode(errors="replace").decode()


def units(usage: Usage) -> str | None:
    """What is not text, as JSON by the names of `Usage`, or None where there is none of it, as in plain chats."""
    if not (usage.batch_percent or usage.beyond_text):
        return None
    counts = {name: min(max(0, getattr(usage, name)), _MOST_TOKENS) for name in _UNITS}
    found: dict[str, Any] = {name: count for name, count in counts.items() if count}
    if usage.size:
        found["size"] = clean(usage.size, 40)
    if usage.quality:
        found["quality"] = clean(usage.quality, 40)
    return encode(found).decode()


def call_of(row: Any) -> Call:
    """The call of a ledger row, as far as it was written down."""
    return Call(
        id=row.id,
        request_id=row.request_id,
        client_request_id=row.client_request_id,
        capability=row.capability,
        dialect=row.dialect,
        model=row.model,
        stream=row.stream,
        shows_usage=False,
        body=b"",
        principal=Principal(
            tenant=row.tenant,
            authenticator=row.authenticator or "",
            user=row.user,
            key=row.key,
            key_name=row.key_name,
        ),
        received_at=row.received_at,
    )
