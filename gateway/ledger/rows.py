"""A call as rows: the intent, the settlement, its share of a usage bucket, its place in the outbox."""

from __future__ import annotations

from typing import Any

from msgspec.json import encode

from gateway.store import Add, Insert, Transition, Write
from gateway.store.tables import model_calls, outbox, usage_buckets
from gateway.types import MOST_TOKENS, Call, Outcome, Principal, Status, Usage

BUCKET = 900
"""Usage is rolled up by quarters of an hour of the time a call was received."""

_HIGHEST_COST = 10**17
_LONGEST_NAME = 200
_LONGEST_MESSAGE = 1000

_CALL = (
    "id",
    "request_id",
    "tenant",
    "key",
    "key_name",
    "capability",
    "dialect",
    "model",
    "stream",
    "worker",
    "received_at",
    "authenticator",
    "status",
)
_OF_SOME = ("client_request_id", "user")
"""Columns that stay empty in most calls."""
_OUTCOME = (
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
"""Columns that an intent has already as they are in most calls."""

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

OPEN = Insert(model_calls, *_CALL, *_OF_SOME)
OPEN_AS_USUAL = Insert(model_calls, *_CALL)
"""The intent, by `intent`. Each column that is not written saves a twentieth of it."""

SETTLE = Transition(model_calls, *_UNUSUAL, "status", *_OUTCOME, leaves="processing")
SETTLE_AS_USUAL = Transition(model_calls, "status", *_OUTCOME, leaves="processing")
"""The end of an open call, by `settlement`. Writing no columns that stay as they are saves a fifth of it."""

RECORD = Insert(model_calls, *_CALL, *_OF_SOME, *_UNUSUAL, *_OUTCOME)
"""A call that was not written when it was opened, by `record`."""

COUNT = Add(usage_buckets)
"""A call's share of its usage bucket."""

SEND = Insert(outbox, "sink", "call")
"""A settled call waits for a sink."""


def intent(call: Call, worker: str, then: tuple[Write, ...]) -> Write:
    """The write for the beginning of a call."""
    values = _call_values(call, worker, "processing")
    if call.client_request_id is None and call.principal.user is None:
        return Write(OPEN_AS_USUAL, values, then)
    return Write(OPEN, (*values, *_values_of_some(call)), then)


def _values_of_some(call: Call) -> tuple[Any, ...]:
    return clean(call.client_request_id, _LONGEST_NAME), call.principal.user


def _call_values(call: Call, worker: str, status: Status) -> tuple[Any, ...]:
    principal, model = call.principal, call.model
    return (
        call.id,
        call.request_id,
        principal.tenant,
        principal.key,
        principal.key_name,
        call.capability,
        call.dialect,
        model if model.isprintable() and len(model) <= _LONGEST_NAME else clean(model, _LONGEST_NAME),
        call.stream,
        worker,
        call.received_at,
        principal.authenticator or None,
        status,
    )


def settlement(call: Call, outcome: Outcome, then: tuple[Write, ...]) -> Write:
    """The write for the end of an open call. If it is the first, the call counts in its bucket, and `then` happens."""
    usual, count = _end(call, outcome)
    then = (count, *then) if then else (count,)
    if _is_usual(outcome):
        return Write(SETTLE_AS_USUAL, usual, then)
    return Write(SETTLE, (*_unusual(outcome), *usual), then)


def record(call: Call, worker: str, outcome: Outcome, then: tuple[Write, ...]) -> Write:
    """The write for a call that was not written when it was opened; otherwise as `settlement`."""
    (status, *usual, _), count = _end(call, outcome)
    values = _call_values(call, worker, status)
    return Write(RECORD, (*values, *_values_of_some(call), *_unusual(outcome), *usual), (count, *then))


def _end(call: Call, outcome: Outcome) -> tuple[tuple[Any, ...], Write]:
    """The values of `SETTLE_AS_USUAL`, and the call's share of its bucket, which is made of the same numbers."""
    prompt, completion, read, written, thoughts = _tokens(outcome.usage)
    cost, charge = outcome.cost, outcome.charge
    if cost is not None and not 0 <= cost <= _HIGHEST_COST:
        cost = max(0, min(cost, _HIGHEST_COST))
    if charge is not None and not 0 <= charge <= _HIGHEST_COST:
        charge = max(0, min(charge, _HIGHEST_COST))
    status, provider, used, asked = outcome.status, outcome.provider, outcome.upstream_model, call.model
    if used is not None and not (used.isprintable() and len(used) <= _LONGEST_NAME):
        used = clean(used, _LONGEST_NAME)
    if not (asked.isprintable() and len(asked) <= _LONGEST_NAME):
        asked = clean(asked, _LONGEST_NAME)
    usual = (
        status,
        provider,
        used,
        outcome.attempts,
        outcome.http_status,
        outcome.first_byte_at,
        outcome.ended_at,
        prompt,
        completion,
        read,
        written,
        thoughts,
        outcome.price_version,
        cost,
        charge,
        call.id,
    )
    principal, received = call.principal, int(call.received_at)
    share = (
        received - received % BUCKET,
        principal.tenant,
        principal.key or "",
        asked,
        provider or "",
        1,
        0 if status == "success" else 1,
        prompt or 0,
        completion or 0,
        read or 0,
        written or 0,
        thoughts or 0,
        cost or 0,
        charge or 0,
    )
    return usual, Write(COUNT, share)


def _tokens(usage: Usage | None) -> tuple[int | None, ...]:
    """Within what the columns hold, whatever a provider claims."""
    if usage is None:
        return None, None, None, None, None
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    read, written, thoughts = usage.cached_read_tokens, usage.cached_write_tokens, usage.reasoning_tokens
    if usage.is_credible():
        return prompt, completion, read, written, thoughts
    numbers = (prompt, completion, read, written, thoughts)
    return tuple([max(0, min(number, MOST_TOKENS)) for number in numbers])


def _is_usual(outcome: Outcome) -> bool:
    """Whether all unusual columns stay as the intent has left them."""
    usage = outcome.usage
    if usage is not None and (usage.estimated or usage.batch_percent or not usage.is_text_only()):
        return False
    return outcome.selling is None and outcome.error_code is None and outcome.error_message is None


def _unusual(outcome: Outcome) -> tuple[Any, ...]:
    usage, code, message = outcome.usage, outcome.error_code, outcome.error_message
    return (
        None if usage is None or (usage.is_text_only() and not usage.batch_percent) else units(usage),
        usage is not None and usage.estimated,
        outcome.selling,
        None if code is None else clean(code, 60),
        None if message is None else clean(message, _LONGEST_MESSAGE),
    )


def clean(value: str | None, length: int) -> Any:
    """Text that every database takes: cut to the column's length, without NUL and lone surrogates."""
    if value is None:
        return None
    if len(value) > length:
        value = value[:length]
    if value.isprintable():
        return value
    return value.replace("\0", "\ufffd").encode(errors="replace").decode()


def units(usage: Usage) -> str:
    """What is not text, as JSON by the names of `Usage`."""
    counts = {name: min(max(0, getattr(usage, name)), MOST_TOKENS) for name in _UNITS}
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
