"""`sink.openmeter`: batches of CloudEvents to OpenMeter, https://openmeter.io/docs/metering/events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.json import encode
from pydantic import Field

from gateway.secrets import Secret
from gateway_events.event import BATCH_MEDIA_TYPE, EventsConfig
from gateway_events.http import post
from gateway_events.plugin import EventSink
from gateway_events.sending import Away, Refused, split


class OpenMeterConfig(EventsConfig):
    """Settings of `sink.openmeter`."""

    url: str = Field(
        pattern=r"^https?://\S*[^\s/]$",
        description="Where OpenMeter is, without a path: `https://openmeter.cloud`.",
    )
    token: Secret | None = Field(
        default=None, description="Its API key; one's own installation may need none."
    )


class OpenMeter(EventSink[OpenMeterConfig]):
    """Sends usage events to OpenMeter, which counts each id of a source once."""

    id = "sink.openmeter"
    Config = OpenMeterConfig

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        await split(events, self._send)

    async def _send(self, events: Sequence[Mapping[str, Any]]) -> None:
        headers = {"content-type": BATCH_MEDIA_TYPE}
        if self.config.token is not None:
            headers["authorization"] = f"Bearer {self.config.token.reveal()}"
        answer = await post(self.context.client, f"{self.config.url}/api/v1/events", encode(events), headers)
        if answer.is_about_events:
            raise Refused(answer.explained())
        if not answer.ok:
            raise Away(str(answer))
