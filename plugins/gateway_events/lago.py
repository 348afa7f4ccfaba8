"""`sink.lago`: batches of events to Lago, https://getlago.com/docs/api-reference/events/batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, cast

import msgspec
from msgspec.json import decode, encode
from pydantic import Field

from gateway.errors import Undelivered
from gateway.secrets import Secret
from gateway_events.event import TYPE, EventsConfig
from gateway_events.http import Answer, post
from gateway_events.plugin import EventSink
from gateway_events.sending import Away

_KNOWN: Final = "value_already_exist"
"""What Lago says of a transaction id that it has."""


class LagoConfig(EventsConfig):
    """Settings of `sink.lago`."""

    url: str = Field(
        pattern=r"^https?://\S*[^\s/]$",
        description="Where Lago's API is, without a path: `https://api.getlago.com`.",
    )
    token: Secret = Field(description="Its API key.")
    code: str = Field(default="ai_usage", min_length=1, description="The code of the billable metric.")
    subscription: Literal["tenant", "subject"] = Field(
        default="tenant",
        description="What is the external id of the subscription: the tenant, or the event's subject, `tenant/user`.",
    )


class Lago(EventSink[LagoConfig]):
    """Sends usage events to Lago, which takes each transaction id once."""

    id = "sink.lago"
    Config = LagoConfig

    async def send_notices(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Send adjustments, which correct the sums of what they adjust; Lago has no use for other notices."""
        adjustments = [event for event in events if "charge_nano" in event["data"]]
        if adjustments:
            await self.send(adjustments)

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        refused: dict[str, str] = {}
        while events:  # Lago takes a batch as a whole or not at all, and says which events it minds
            answer = await self._post(events)
            if answer.ok:
                break
            faults = _faults(answer)
            if not faults.keys() & set(range(len(events))):
                raise Away(answer.explained() if answer.is_about_events else str(answer))
            for place, fault in faults.items():
                if place < len(events) and _KNOWN not in fault:
                    refused[events[place]["id"]] = f"{answer}: {fault}"
            events = [event for place, event in enumerate(events) if place not in faults]
        if refused:
            raise Undelivered(refused=refused)

    async def _post(self, events: Sequence[Mapping[str, Any]]) -> Answer:
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {self.config.token.reveal()}",
        }
        body = encode({"events": [self._event(event) for event in events]})
        return await post(self.context.client, f"{self.config.url}/api/v1/events/batch", body, headers)

    def _event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        data = event["data"]
        counted: Mapping[str, float] = data.get("usage") or {}
        usage = {name: count for name, count in counted.items() if name != "estimated"}
        by = data["tenant"] if self.config.subscription == "tenant" else event["subject"]
        return {
            "transaction_id": event["id"],
            "external_subscription_id": by,
            "code": self.config.code,
            "timestamp": datetime.fromisoformat(event["time"]).timestamp(),
            "properties": {
                **{name: data.get(name) for name in ("user", "model", "provider", "capability", "status")},
                **usage,
                "calls": 1 if event["type"] == TYPE else 0,
                "cost_nano": data["cost_nano"] or 0,
                "charge_nano": data["charge_nano"] or 0,
            },
        }


def _faults(answer: Answer) -> dict[int, str]:
    """What Lago minds of the events of a batch, by their places in it."""
    try:
        body: Any = decode(answer.body)
    except msgspec.DecodeError:
        return {}
    details = cast("dict[str, Any]", body).get("error_details") if isinstance(body, dict) else None
    if not isinstance(details, dict):
        return {}
    faults = cast("dict[str, Any]", details)
    return {int(place): encode(fault).decode() for place, fault in faults.items() if place.isdecimal()}
