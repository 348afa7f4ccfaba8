"""Stripe for tests: checkout, portal, meters, disputes, invoices and events here; all else is asked of localstripe."""

from __future__ import annotations

import itertools
import re
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "sk_test_fake_0123456789abcdef"
_AUTH = {"authorization": f"Bearer {KEY}"}
_WINDOW = 35 * 86_400


class FakeStripe:
    """Holds the state; `url` is its address."""

    def __init__(self, local: str) -> None:
        self.url = ""
        self.local = httpx2.Client(base_url=local, headers=_AUTH, timeout=10)
        self.objects: dict[str, dict[str, Any]] = {}
        self.meters: list[dict[str, Any]] = []
        self.meter_events: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.changes: dict[str, dict[str, Any]] = {}
        """What became of subscriptions since localstripe made them, by id."""
        self.trouble: list[str] = []
        """What happens to the next meter events: `lost` takes one without an answer, `away` takes none."""
        self._idempotent: dict[str, Any] = {}
        self._count = itertools.count(1)

    # What people and banks do.

    def pay(self, session_id: str, **changes: Any) -> dict[str, Any]:
        """Pay a checkout session with a good card; `changes` are made to it as it is completed."""
        session = self.objects[session_id]
        if session["mode"] == "subscription":
            return self._subscribe(session, changes)
        payment = self.charge(
            session["customer"], session["amount_total"], session["currency"], session["metadata"]
        )
        done = {"status": "complete", "payment_status": "paid", "payment_intent": payment}
        session.update({**done, **changes})
        return session

    def charge(self, payer: str, amount: int, currency: str, marks: dict[str, str]) -> str:
        """Make a payment; give its intent."""
        method = self._ask("POST", "/v1/payment_methods", {
            "type": "card", "card[number]": "4242424242424242", "card[exp_month]": "12",
            "card[exp_year]": "2040", "card[cvc]": "123",
        })  # fmt: skip
        payment = self._ask("POST", "/v1/payment_intents", {
            "amount": amount, "currency": currency, "customer": payer,
            "payment_method": method["id"], **{f"metadata[{k}]": v for k, v in marks.items()},
        })  # fmt: skip
        payment = self._ask("POST", f"/v1/payment_intents/{payment['id']}/confirm", {})
        assert payment["status"] == "succeeded"
        return payment["id"]

    def _subscribe(self, session: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
        source = {"source[object]": "card", "source[number]": "4242424242424242", "source[exp_month]": "12",
                  "source[exp_year]": "2040", "source[cvc]": "123"}  # fmt: skip
        self._ask("POST", f"/v1/customers/{session['customer']}/sources", source)
        made = self._ask("POST", "/v1/subscriptions", {
            "customer": session["customer"], "items[0][plan]": session["price"],
            "items[0][quantity]": session["quantity"],
        })  # fmt: skip
        session.update(
            {"status": "complete", "payment_status": "paid", "subscription": made["id"], **changes}
        )
        return session

    def price(self, id: str, amount: int) -> None:
        """Make a monthly price."""
        self._ask("POST", "/v1/products", {"id": "prod_x", "name": "Plan"}) if not self.objects.get(
            "prod_x"
        ) else None
        self.objects["prod_x"] = {"id": "prod_x"}
        self._ask("POST", "/v1/plans", {
            "id": id, "product": "prod_x", "amount": amount, "currency": "usd", "interval": "month", "nickname": id,
        })  # fmt: skip

    def refund(self, payment: str, amount: int) -> str:
        """Pay back, as from Stripe's dashboard."""
        return self._ask("POST", "/v1/refunds", {"payment_intent": payment, "amount": amount})["id"]

    def dispute(self, payment: str, amount: int, currency: str = "usd") -> dict[str, Any]:
        """Let a bank dispute a payment."""
        return self._new("dp_", object="dispute", payment_intent=payment, amount=amount, currency=currency,
                         status="needs_response")  # fmt: skip

    def line(self, price: str, amount: int, *, proration: bool = False) -> dict[str, Any]:
        """A line of an invoice; `proration` for a change within the period before."""
        about = {"invoice_item": "ii_1", "proration": proration}
        parent = {
            "type": "invoice_item_details",
            "invoice_item_details": about,
            "subscription_item_details": None,
        }
        return {"id": "il_1", "object": "line_item", "amount": amount, "parent": parent,
                "pricing": {"price_details": {"price": price}}}  # fmt: skip

    def invoice(self, subscription: str, payer: str, price: str, **changes: Any) -> dict[str, Any]:
        """Let a period of a subscription be paid."""
        line = self.line(price, 2000)
        details = {"subscription_details": {"subscription": subscription}}
        values: dict[str, Any] = {
            "customer": payer, "parent": details, "lines": {"object": "list", "data": [line], "has_more": False},
            "billing_reason": "subscription_cycle", "status": "paid", "amount_paid": 2000, "total": 2000,
            "currency": "usd", "number": "F-0001", "created": int(time.time()),
            "hosted_invoice_url": "https://invoice.stripe.com/i/x", "invoice_pdf": None,
        }  # fmt: skip
        paid = {"type": "payment_intent", "payment_intent": changes.pop("payment", None)}
        payments = [{"payment": paid, "status": "paid"}] if paid["payment_intent"] else []
        values["payments"] = {"object": "list", "data": payments, "has_more": False}
        return self._new("in_", object="invoice", **{**values, **changes})

    def event(self, type: str, about: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Make an event, which is listed from then on."""
        values: dict[str, Any] = {
            "type": type,
            "livemode": False,
            "data": {"object": about},
            "created": int(time.time()),
        }
        return self._new("evt_", object="event", **{**values, **changes})

    def units(self, customer: str) -> int:
        """What the meter says of a customer."""
        events = self.meter_events.values()
        return sum(
            int(e["payload"]["value"]) for e in events if e["payload"]["stripe_customer_id"] == customer
        )

    # The API.

    async def serve(self, request: Request) -> Response:
        path, method = request.url.path, request.method
        self.requests.append((method, path))
        self.headers.append(dict(request.headers))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return _error(401, "Invalid API Key provided: sk_test_****", None)
        body = _nested(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        key = request.headers.get("idempotency-key")
        if key is not None and key in self._idempotent:
            return JSONResponse(self._idempotent[key])
        answer = self._answer(method, path, body, dict(request.query_params))
        if answer is None:
            return await self._forward(request, key)
        if isinstance(answer, dict):
            if key is not None and not path.endswith("meter_events"):
                self._idempotent[key] = answer
            return JSONResponse(answer)
        return answer

    def _answer(self, method: str, path: str, body: Any, query: dict[str, str]) -> Any:  # noqa: PLR0911 - one for each path
        match method, path.removeprefix("/v1/").split("/"):
            case "POST", ["checkout", "sessions"]:
                return self._session(body)
            case "POST", ["billing_portal", "sessions"]:
                return {
                    "id": "bps_1",
                    "object": "billing_portal.session",
                    "url": "https://billing.stripe.com/p/x",
                }
            case "GET", ["billing", "meters"]:
                return _list(self.meters, path)
            case "POST", ["billing", "meters"]:
                self.meters.append({"id": "mtr_1", "object": "billing.meter", **body})
                return self.meters[-1]
            case "POST", ["billing", "meter_events"]:
                return self._metered(body)
            case "POST", ["subscriptions", id]:
                return self._updated(id, body)
            case "GET", ["events"]:
                return _list([o for o in reversed(self.objects.values()) if o.get("object") == "event"], path)
            case "GET", ["invoices"]:
                found = [o for o in self.objects.values() if o.get("object") == "invoice"]
                return _list([o for o in found if o["customer"] == query.get("customer")], path)
            case "GET", ["disputes"]:
                found = [o for o in self.objects.values() if o.get("object") == "dispute"]
                return _list([o for o in found if o["payment_intent"] == query["payment_intent"]], path)
            case "GET", ["invoice_payments"]:
                found = [o for o in self.objects.values() if o.get("object") == "invoice"]
                of = [o for o in found if query["payment[payment_intent]"] in str(o["payments"])]
                return _list(
                    [{"object": "invoice_payment", "id": "inpay_1", "invoice": o["id"]} for o in of], path
                )
            case "GET", ["checkout", "sessions", id] | ["disputes" | "invoices", id]:
                return self.objects.get(id) or _error(404, f"No such object: '{id}'", "resource_missing")
            case _:
                return None

    async def _forward(self, request: Request, key: str | None) -> Response:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        url = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        answer = self.local.request(request.method, url, content=await request.body(), headers=kind)
        content = answer.json()
        if answer.is_success:
            for each in content["data"] if content.get("object") == "list" else [content]:
                if each["object"] == "subscription":
                    _modern(each, self.changes.get(each["id"], {}))
            if key is not None:
                self._idempotent[key] = content
        return JSONResponse(content, answer.status_code)

    def _session(self, body: Any) -> dict[str, Any]:
        (item,) = body["line_items"].values()
        data = item.get("price_data", {})
        amount = int(data["unit_amount"]) if data else 2000
        return self._new(
            "cs_test_", object="checkout.session", status="open", payment_status="unpaid", mode=body["mode"],
            customer=body["customer"], client_reference_id=body["client_reference_id"], metadata=body["metadata"],
            currency=data.get("currency", "usd"), amount_total=amount, total_details={"amount_tax": 0},
            payment_intent=None, subscription=None, price=item.get("price"),
            quantity=item["quantity"], subscription_data=body.get("subscription_data"), url="https://checkout.stripe.com/c/pay/x",
        )  # fmt: skip

    def _updated(self, id: str, body: Any) -> Any:
        found = self.local.get(f"/v1/subscriptions/{id}").json()
        changes = self.changes.setdefault(id, {})
        for item in body.get("items", {}).values():
            changes.update(price={"id": item["price"], "object": "price"}, quantity=int(item["quantity"]))
        if "cancel_at_period_end" in body:
            changes["cancel_at_period_end"] = body["cancel_at_period_end"] == "true"
        _modern(found, changes)
        return found

    def _metered(self, body: Any) -> Any:
        trouble = self.trouble.pop(0) if self.trouble else ""
        if trouble == "away":
            return _error(503, "down", None)
        if not -_WINDOW < int(body["timestamp"]) - time.time() < 300:
            return _error(400, "The timestamp is out of the window", "timestamp_too_far")
        if body["identifier"] in self.meter_events:
            return _error(400, f"An event already exists with identifier {body['identifier']}.", None)
        assert int(body["payload"]["value"]) != 0
        assert len(body["identifier"]) <= 100
        self.meter_events[body["identifier"]] = body
        if trouble == "lost":
            return _error(500, "lost", None)
        return {"object": "billing.meter_event", **body}

    def _new(self, prefix: str, **values: Any) -> dict[str, Any]:
        made = {"id": f"{prefix}{next(self._count):06d}", **values}
        self.objects[made["id"]] = made
        return made

    def _ask(self, method: str, path: str, data: dict[str, Any]) -> Any:
        answer = self.local.request(method, path, data=data)
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def fake_stripe(local: str) -> Generator[FakeStripe]:
    """Serve it from a thread."""
    fake = FakeStripe(local)
    app = Starlette(routes=[Route("/{path:path}", fake.serve, methods=["GET", "POST", "DELETE"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    fake.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield fake
    finally:
        server.should_exit = True
        thread.join()
        fake.local.close()


def _modern(subscription: dict[str, Any], changes: dict[str, Any]) -> None:
    """Give a subscription the shape of today's API, which localstripe's is older than."""
    for item in subscription["items"]["data"]:
        item["price"] = {"id": item["plan"]["id"], "object": "price"}
        item["current_period_start"] = subscription["current_period_start"]
        item["current_period_end"] = subscription["current_period_end"]
        item.update({name: value for name, value in changes.items() if name in item})
    subscription.update({name: value for name, value in changes.items() if name not in {"price", "quantity"}})


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        first, *rest = re.findall(r"[^\[\]]+", name)
        place = found
        for key in [first, *rest][:-1]:
            place = place.setdefault(key, {})
        place[[first, *rest][-1]] = value
    return found


def _list(data: list[Any], url: str) -> dict[str, Any]:
    return {"object": "list", "data": data, "has_more": False, "url": url}


def _error(status: int, message: str, code: str | None) -> JSONResponse:
    return JSONResponse(
        {"error": {"type": "invalid_request_error", "message": message, "code": code}}, status
    )
