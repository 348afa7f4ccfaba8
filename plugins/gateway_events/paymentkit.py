"""`sink.paymentkit`: meter events in the shape of ArcBlock's Payment Kit, one for each call that somebody pays for.

The identifier is made of the call's id, so that an event sent again after a timeout is not charged twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec.json import encode
from pydantic import Field

from gateway.secrets import Secret
from gateway.types import NANO
from gateway_events.event import EventsConfig
from gateway_events.http import Answer, post
from gateway_events.plugin import EventSink
from gateway_events.sending import Away, Refused, each

_CONFLICT: Final = 409


class PaymentKitConfig(EventsConfig):
    """Settings of `sink.paymentkit`."""

    url: str = Field(
        pattern=r"^https?://\S+$",
        description="Where meter events are sent to, in full: `https://…/api/meter-events`.",
    )
    token: Secret | None = Field(
        default=None, description="Sent as a bearer token, where something before Payment Kit asks for one."
    )
    event_name: str = Field(
        default="agent-hub-ai-meter-v2", min_length=1, description="The name of the meter's events."
    )
    app: str = Field(
        default="", description="The DID of the app that the usage is reported for: `metadata.appId`."
    )


class PaymentKit(EventSink[PaymentKitConfig]):
    """Reports what users are charged to a meter of Payment Kit. Calls of no user or without a charge are left out."""

    id = "sink.paymentkit"
    Config = PaymentKitConfig

    async def send_notices(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Leave them out: the meter counts calls alone."""

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        paid = [event for event in events if event["data"]["user"] and event["data"]["charge_nano"]]
        if paid:
            await each(paid, self._send)

    async def _send(self, event: Mapping[str, Any]) -> None:
        headers = {"content-type": "application/json"}
        if self.config.token is not None:
            headers["authorization"] = f"Bearer {self.config.token.reveal()}"
        body = encode(meter_event(event, self.config.event_name, self.config.app))
        answer = await post(self.context.client, self.config.url, body, headers)
        if answer.ok or _has_it(answer):
            return
        if answer.is_about_events:
            raise Refused(answer.explained())
        raise Away(str(answer))


def meter_event(event: Mapping[str, Any], name: str, app: str) -> dict[str, Any]:
    """The meter event of a usage event: `value` is the charge in credits, as an exact decimal number."""
    data = event["data"]
    usage: Mapping[str, int] = data["usage"] or {}
    value = f"{Decimal(data['charge_nano']) / NANO:f}"
    tokens = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    facts = (
        ("source", "Source", "来源", event["source"]),
        ("record_count", "Calls", "调用次数", "1"),
        ("total_tokens", "Tokens", "令牌数", str(tokens)),
        ("images_generated", "Images", "图片数", str(usage.get("images", 0))),
        ("total_credits", "Credits", "额度", value),
    )
    return {
        "event_name": name,
        "timestamp": int(datetime.fromisoformat(event["time"]).timestamp()),
        "payload": {"customer_id": data["user"], "value": value},
        "identifier": f"{data['user']}-{name}-{event['id']}",
        "metadata": {"appId": app},
        "source_data": [
            {"key": key, "label": {"en": english, "zh": chinese}, "value": fact}
            for key, english, chinese, fact in facts
        ],
    }


def _has_it(answer: Answer) -> bool:
    """Whether the identifier is known there, so that the event was taken before."""
    return answer.status == _CONFLICT or (answer.is_about_events and b"already exists" in answer.body)
