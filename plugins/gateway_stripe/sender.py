"""Stripe's own library, sending through the gateway's HTTP client: its proxies, its guard, and no thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, Final

import stripe

from gateway.errors import GatewayError, Unavailable
from gateway.upstream import Client, Timeouts, UpstreamError
from gateway_stripe.config import StripeConfig

_RETRIES: Final = 2
_NOT_SENT: Final = frozenset(
    # The client's own to set; and a description of this machine, its name included, which is nobody's business.
    {"accept-encoding", "connection", "content-length", "x-stripe-client-user-agent"}
)


class NotAtStripe(Exception):
    """There is no such object in this account."""


class Sender(stripe.HTTPClient):
    """Sends the library's requests."""

    name = "asgi-gateway"

    def __init__(self, client: Callable[[], Client], seconds: float) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType] - partly untyped
        self._client = client
        self._timeouts = Timeouts(first_byte=seconds, idle=seconds, total=seconds)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request. Raises `stripe.APIConnectionError`."""
        client = self._client()
        fields = [
            (name.lower().encode(), value.encode())
            for name, value in headers.items()
            if name.lower() not in _NOT_SENT
        ]
        body = post_data.encode() if isinstance(post_data, str) else post_data or b""
        try:
            response = await client.send(
                client.prepare(method.upper(), url, fields), body, timeouts=self._timeouts
            )
            content = await response.read()
        except UpstreamError as error:
            raise stripe.APIConnectionError(error.message, should_retry=True) from error
        return (
            content,
            response.status,
            {name.decode(): value.decode("latin-1") for name, value in response.headers},
        )

    def sleep_async(self, secs: float) -> Awaitable[None]:
        """Wait before another try."""
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Do nothing: the gateway closes its client."""


def connect(config: StripeConfig, client: Callable[[], Client]) -> stripe.StripeClient:
    """Make the library's client. Nothing is sent."""
    base = config.api_base
    return stripe.StripeClient(
        config.secret_key.reveal(),
        base_addresses={"api": base, "connect": base, "files": base, "meter_events": base},
        http_client=Sender(client, config.timeout_seconds),
        max_network_retries=_RETRIES,
    )


@contextmanager
def asking(what: str) -> Generator[None]:
    """Turn the library's errors into ours, without its words: they may hold a part of the key.

    Raises `NotAtStripe`, `Unavailable` when asking again may help, and else `GatewayError` (502).
    """
    try:
        yield
    except stripe.StripeError as error:
        if error.http_status == HTTPStatus.NOT_FOUND or error.code == "resource_missing":
            raise NotAtStripe(f"Stripe knows no such {what}.") from None
        raise _ours(what, error) from None


def is_passing(error: stripe.StripeError) -> bool:
    """Whether the same request may succeed later: Stripe was away, busy, or did not take the key."""
    status = error.http_status
    return status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in {401, 403, 409, 429}


def described(error: stripe.StripeError) -> str:
    """What went wrong, for the operator."""
    parts = (type(error).__name__, error.http_status, error.code, error.request_id)
    return " ".join(str(part) for part in parts if part is not None)


def id_of(value: Any) -> str | None:
    """The id of what Stripe gives as an id, or expanded."""
    return value if value is None or isinstance(value, str) else str(value["id"])


def _ours(what: str, error: stripe.StripeError) -> GatewayError:
    if is_passing(error):
        ours: GatewayError = Unavailable(f"Stripe cannot be asked for the {what} now.")
    else:
        problem = f"Stripe does not accept what it is asked for the {what}. The operator's log says more."
        ours = GatewayError(problem, status=502, type="upstream_error", code="stripe_refused")
    ours.add_note(described(error))
    return ours
