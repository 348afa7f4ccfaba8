"""`sink.webhook`: each event in a signed request of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.json import encode
from pydantic import Field, field_validator

from gateway.secrets import Secret
from gateway_events.event import MEDIA_TYPE, EventsConfig
from gateway_events.http import post
from gateway_events.plugin import EventSink
from gateway_events.sending import Away, Failed, each
from gateway_events.signing import key_of, signed

if TYPE_CHECKING:
    from gateway.plugin import Context

_BUSY: Final = frozenset({408, 429, 502, 503, 504})
"""Says nothing of the event: the far side, or what stands before it, is overloaded or away."""


class WebhookConfig(EventsConfig):
    """Settings of `sink.webhook`."""

    url: str = Field(
        pattern=r"^https?://\S+$",
        description="Where events are sent. Metadata services of clouds are refused, redirects not followed.",
    )
    secrets: tuple[Secret, ...] = Field(
        min_length=1,
        description="Secrets that sign, `whsec_` and base64 of 24 to 64 bytes. While the receiver changes from an old one "
        "to a new one, give both: each request is signed with all.",
    )

    @field_validator("secrets")
    @classmethod
    def _usable(cls, secrets: tuple[Secret, ...]) -> tuple[Secret, ...]:
        for secret in secrets:
            key_of(secret.reveal())
        return secrets


class Webhook(EventSink[WebhookConfig]):
    """Sends usage events to a webhook, signed by the Standard Webhooks scheme."""

    id = "sink.webhook"
    Config = WebhookConfig

    def __init__(self, name: str, config: WebhookConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._keys = [key_of(secret.reveal()) for secret in config.secrets]

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        await each(events, self._send)

    async def _send(self, event: Mapping[str, Any]) -> None:
        body = encode(event)
        headers = signed(event["id"], int(time.time()), body, self._keys)
        answer = await post(
            self.context.client, self.config.url, body, {"content-type": MEDIA_TYPE, **headers}
        )
        if answer.status in _BUSY:
            raise Away(str(answer))
        if not answer.ok:
            raise Failed(answer.explained())
