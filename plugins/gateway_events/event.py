"""A settled call, or a notice, as an event: CloudEvents 1.0, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field

from gateway.plugin import PluginConfig

TYPE: Final = "ai.gateway.usage.v1"
"""What happened: a call was settled. Fields may join; a change of their meaning makes a new type."""

MEDIA_TYPE: Final = "application/cloudevents+json"
BATCH_MEDIA_TYPE: Final = "application/cloudevents-batch+json"

_NOTICES: Final = {
    "adjustment": "ai.gateway.adjustment.v1",
    "refund": "ai.gateway.refund.v1",
    "credit_note": "ai.gateway.credit_note.v1",
    "invoice_run": "ai.gateway.invoice_run.v1",
    "balance": "ai.gateway.balance.v1",
    "budget": "ai.gateway.budget.v1",
}
"""The types of events that tell of money beside calls, by the kind of the notice."""

_SAME: Final = (
    *("request_id", "client_request_id", "tenant", "user", "key", "capability", "model", "provider"),
    *("upstream_model", "status", "attempts", "stream"),
)
_TOKENS: Final = (
    *("prompt_tokens", "completion_tokens", "cached_read_tokens", "cached_write_tokens", "reasoning_tokens"),
)
_MONEY: Final = ("cost_nano", "charge_nano", "price_version")
_TIMES: Final = ("received_at", "first_byte_at", "ended_at", "duration_ms")


class EventsConfig(PluginConfig):
    """What all sinks of usage events have in common."""

    source: str = Field(
        default="urn:asgi-gateway",
        min_length=1,
        pattern=r"^\S+$",
        description="A URI that says which gateway an event is from. It and the event's id together are unique.",
    )


def usage_event(record: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The event of a call, in CloudEvents' JSON format; `record` is what sinks are given.

    The same call makes the same event each time. Money is in whole 10⁻⁹: cost of the price book's currency, charge of
    a credit. Of an error only the code is told, for its message may quote what somebody wrote.
    """
    tenant, user = record["tenant"], record["user"]
    known = record["prompt_tokens"] is not None
    units: Mapping[str, float] = record["units"] or {}
    error: Mapping[str, str | None] = record["error"] or {}
    usage = {**{name: record[name] for name in _TOKENS}, **units}
    return {
        "specversion": "1.0",
        "id": record["id"],
        "source": source,
        "type": TYPE,
        "subject": f"{tenant}/{user}" if user else tenant,
        "time": record["ended_at"],
        "datacontenttype": "application/json",
        "data": {
            "call": record["id"],
            **{name: record[name] for name in _SAME},
            "usage": {**usage, "estimated": record["estimated"]} if known else None,
            **{name: record[name] for name in _MONEY},
            "error_code": error.get("code"),
            **{name: record[name] for name in _TIMES},
        },
    }


def notice_event(notice: Mapping[str, Any], source: str) -> dict[str, Any]:
    """The event of what happened to money beside calls; `notice` is what sinks are given. The same makes the same."""
    tenant, user = notice["tenant"], notice["user"]
    return {
        "specversion": "1.0",
        "id": notice["id"],
        "source": source,
        "type": _NOTICES[notice["kind"]],
        "subject": f"{tenant}/{user}" if user else tenant,
        "time": notice["time"],
        "datacontenttype": "application/json",
        "data": {"tenant": tenant, "user": user, **notice["data"]},
    }
