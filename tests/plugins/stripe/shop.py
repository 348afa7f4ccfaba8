"""What tests do with a gateway that sells."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from starlette.testclient import TestClient
from stripe import WebhookSignature

from gateway import Gateway
from gateway.plugin import Plugin, PluginConfig, hookimpl
from gateway.protocols import Authenticator, Incoming
from gateway.types import Principal
from gateway_stripe import StripeBilling
from gateway_stripe.office import Office

from .fake import KEY, FakeStripe

T = TypeVar("T")

SECRET, OLD_SECRET = "whsec_fake_new", "whsec_fake_old"
WEBHOOK = "/billing/stripe/webhook"
API = "/admin/api/billing/stripe"
NANO = 10**9

_tenants = itertools.count(1)


def settings(url: str, **changes: Any) -> dict[str, Any]:
    """The table `[billing.stripe]`."""
    return {
        "secret_key": KEY,
        "webhook_secrets": [SECRET, OLD_SECRET],
        "api_base": url,
        "packs": {"small": {"credits": 10, "amount": 1000, "currency": "usd"}},
        "plans": {"pro": {"price": "price_pro", "credits": "2.5"}},
        "meter": {"event_name": "ai_usage"},
        **changes,
    }


class Words(Plugin[PluginConfig]):
    """Believes `Authorization: Test TENANT USER PERMISSION…`."""

    id = "auth.words"

    @hookimpl
    def register_authenticators(self) -> list[Authenticator]:
        return [self]

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        scheme, *words = incoming.headers.get(b"authorization", b"-").decode().split()
        if scheme != "Test":
            return None
        tenant, user, *scopes = words
        return Principal(
            tenant=tenant, authenticator="words", user=user, session="ses_x", scopes=frozenset(scopes)
        )


class Shop:
    """A running gateway and its Stripe."""

    def __init__(self, gateway: Gateway, client: TestClient, stripe: FakeStripe) -> None:
        self.client = client
        self.stripe = stripe
        self.plugin: Any = next(p for p in gateway.registry.plugins if isinstance(p, StripeBilling))
        self.office: Office = self.plugin._office

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something on the gateway's event loop."""
        assert self.client.portal is not None
        return self.client.portal.call(work)

    def tenant(self) -> str:
        """Somebody new."""
        return f"tenant-{next(_tenants)}"

    def ask(self, method: str, path: str, tenant: str, *scopes: str, **more: Any) -> httpx2.Response:
        """Ask the admin API."""
        words = scopes or ("billing.read", "billing.manage")
        headers = {"authorization": " ".join(("Test", tenant, "usr_x", *words))}
        return self.client.request(method, f"{API}{path}", headers=headers, **more)

    def order(self, tenant: str, **what: Any) -> dict[str, Any]:
        """Order something, and find its session."""
        answer = self.ask("POST", "/orders", tenant, json=what or {"pack": "small"})
        assert answer.status_code == 201, answer.text
        return answer.json()

    def session(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """The checkout session of an order."""
        sessions = (o for o in self.stripe.objects.values() if o.get("object") == "checkout.session")
        return next(session for session in sessions if session["client_reference_id"] == order["id"])

    def bought(self, tenant: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Buy a pack and pay it; give the order and the session. The webhook has come."""
        order = self.order(tenant)
        session = self.stripe.pay(self.session(order)["id"])
        assert self.tell("checkout.session.completed", session) == 200
        return order, session

    def tell(self, type: str, about: Mapping[str, Any], **changes: Any) -> int:
        """Send an event as Stripe does; give the status."""
        return self.send(self.stripe.event(type, dict(about), **changes)).status_code

    def send(
        self, event: Mapping[str, Any], *, secret: str = SECRET, at: float | None = None
    ) -> httpx2.Response:
        """Sign and post an event."""
        body = json.dumps(event)
        library: Any = WebhookSignature
        header = library.generate_signature_header(
            body, secret, timestamp=int(time.time() if at is None else at)
        )
        return self.client.post(WEBHOOK, content=body, headers={"stripe-signature": header})

    def status(self, tenant: str, order: Mapping[str, Any]) -> str:
        """What became of an order."""
        return self.ask("GET", f"/orders/{order['id']}", tenant).json()["status"]

    def balance(self, tenant: str) -> float:
        """The credits of a tenant."""
        book: Any = self.office.book()

        async def work() -> Any:
            return await book.balance(book.account(tenant))

        return self.run(work).balance / NANO


@contextmanager
def open_shop(
    stripe: FakeStripe, database: str | Path, *, subscription: dict[str, Any] | None = None, **changes: Any
) -> Generator[Shop]:
    """Start a gateway; `subscription` is the table `[billing.subscription]`."""
    config: dict[str, Any] = {
        "gateway": {"database": database if isinstance(database, str) else f"sqlite:///{database}"},
        "auth": {"words": {}},
        "provider": {"mock": {}},
        "billing": {"credits": {}, "stripe": settings(stripe.url, **changes)},
    }
    if subscription is not None:
        config["billing"]["subscription"] = subscription
    gateway = Gateway.from_dict(config, plugins=[Words, StripeBilling])
    with TestClient(gateway, raise_server_exceptions=False) as client:
        yield Shop(gateway, client, stripe)
