"""`POST /billing/stripe/webhook`: what Stripe tells, believed when it is signed, and looked up again when it matters."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
import stripe
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import InvalidRequest, PermissionDenied
from gateway_stripe.events import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request

    from gateway_stripe.config import StripeConfig
    from gateway_stripe.events import Events

PATH: Final = "/billing/stripe/webhook"
_MOST_BYTES: Final = 1_000_000

_library: Any = stripe.WebhookSignature


class Webhook:
    """The endpoint."""

    def __init__(self, config: StripeConfig, events: Events) -> None:
        self._secrets = [secret.reveal() for secret in config.webhook_secrets]
        self._tolerance = config.tolerance_seconds
        self._events = events

    def routes(self) -> Sequence[Route]:
        """What the gateway serves."""
        return (Route(PATH, self.receive, methods=["POST"]),)

    async def receive(self, request: Request) -> Response:
        """Verify and handle an event. Anything but 200 makes Stripe send it again, for up to three days."""
        if not self._secrets:
            raise PermissionDenied(
                "Webhooks are off: `webhook_secrets` of [billing.stripe] is empty.", code="webhook_off"
            )
        body = await _body(request)
        self._verify(body, request.headers.get("stripe-signature"))
        try:
            event = msgspec.json.decode(body, type=Event)
        except msgspec.DecodeError:
            raise InvalidRequest("This is no event of Stripe's.", code="invalid_event") from None
        await self._events.handle(event)
        return Response(status_code=200)

    def _verify(self, body: bytes, signature: str | None) -> None:
        for secret in self._secrets:
            try:
                _library.verify_header(body, signature, secret, self._tolerance)
            except (stripe.SignatureVerificationError, UnicodeError, TypeError):
                continue  # TypeError: a signature that is not ASCII cannot be compared
            if _signed_at(signature or "") <= time.time() + self._tolerance:
                return
        raise InvalidRequest(
            "The signature is missing, wrong or too old. The secret must be that of this endpoint at Stripe.",
            code="invalid_signature",
        )


def _signed_at(signature: str) -> int:
    """The time in a verified signature; the library looks only whether it is too long ago."""
    return int(next(part for part in signature.split(",") if part.startswith("t="))[2:])


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise InvalidRequest("Events are not that large.", status=413, code="request_too_large")
    return bytes(body)
