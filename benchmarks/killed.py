"""What must hold of the money after `kill -9`: the part of `credits.py` that kills.

Everything that counts money is on: credits, a hard budget, a meter at a stand-in for Stripe, usage events in a file, receipts for
all calls, and an Idempotency-Key on half of them. After each kill the gateway starts again, clients repeat what was
not answered under their keys, and once nothing is on its way any more all sums must be the same.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from sqlalchemy import func, insert, select

from gateway.sdk.receipts import verify as verify_chain
from gateway.store import Database
from gateway.store.tables import model_calls, outbox
from gateway_budgets.tables import spending
from gateway_credits.account import Account
from gateway_credits.book import Book
from gateway_credits.verify import verify
from gateway_receipts.keys import Signer
from gateway_receipts.tables import owed, receipts
from gateway_stripe.tables import customers, meter_events

if TYPE_CHECKING:
    from credits import Server

NANO = 10**9
UNIT = 1000
"""In 10⁻⁹ credit, of the meter."""
TENANT = "default"
KEY = "bm90LWEtcmVhbC1rZXktYnV0LTMyLWJ5dGVzLWxvbmc"
SIGNER = Signer(KEY, ())
PLUGINS = """
[middleware.idempotency]
[billing.credits]
[billing.budgets]
[billing.stripe]
secret_key = "sk_test_not_a_real_key"
api_base = "{stripe}"
meter = {{ event_name = "ai_usage", unit = "0.000001" }}
[sink.file]
path = "events.jsonl"
max_megabytes = 10000
[service.receipts]
key = "{key}"
tenants = ["*"]
"""
CONNECTIONS = 40
ANSWERED, LOST = 200, 410


class FakeMeter(ThreadingHTTPServer):
    """Takes meter events, each identifier once, and now and then loses its answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.units: dict[str, int] = {}
        self.meters: list[dict[str, Any]] = []
        self.chance = random.Random(11)  # noqa: S311 - no secret
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that are killed."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def meter(self) -> FakeMeter:
        assert isinstance(self.server, FakeMeter)
        return self.server

    def do_GET(self) -> None:
        self._say(200, {"object": "list", "data": self.meter.meters, "has_more": False, "url": self.path})

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["content-length"])).decode()
        body = {name: values[-1] for name, values in parse_qs(text).items()}
        with self.meter.lock:
            self._say(*self._answer(body))

    def _answer(self, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
        server = self.meter
        if not self.path.endswith("/meter_events"):
            server.meters.append({"id": "mtr_1", "object": "billing.meter", "event_name": body["event_name"]})
            return 200, server.meters[-1]
        name = body["identifier"]
        if name in server.units:
            problem = f"An event already exists with identifier {name}."
            return 400, {"error": {"type": "invalid_request_error", "message": problem}}
        server.units[name] = int(body["payload[value]"])
        if server.chance.random() < 0.05:
            return 500, {"error": {"type": "api_error", "message": "lost"}}
        return 200, {"object": "billing.meter_event", "identifier": name}

    def _say(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def fake_meter() -> Generator[FakeMeter]:
    """Serve it from a thread."""
    server = FakeMeter()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Clients:
    """Call without pause, half of them under keys that they repeat until they are answered."""

    def __init__(self, port: int, key: str, body: bytes) -> None:
        self._port = port
        self._head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
        )
        self._body = body
        self.unanswered: set[str] = set()
        self.statuses: Counter[int] = Counter()

    async def load(self) -> None:
        """Call until cancelled, whatever happens."""

        async def client(keyed: bool) -> None:
            while True:
                name = uuid.uuid4().hex if keyed else ""
                try:
                    await self._ask(name)
                except (OSError, asyncio.IncompleteReadError):
                    await asyncio.sleep(0.02)

        await asyncio.gather(*(client(number % 2 == 0) for number in range(CONNECTIONS)))

    async def repeat(self) -> None:
        """Ask again under all keys that had no answer; each must have one now, or be lost."""
        waiting = iter(sorted(self.unanswered))

        async def client() -> None:
            for name in waiting:
                status = await self._ask_patiently(name)
                if status not in {ANSWERED, LOST}:
                    sys.exit(f"WRONG: the repetition of {name} was answered with {status}")

        await asyncio.gather(*(client() for _ in range(8)))

    async def _ask_patiently(self, name: str) -> int:
        for _ in range(100):
            try:
                return await self._ask(name)
            except (OSError, asyncio.IncompleteReadError):  # a worker that has only begun to listen
                await asyncio.sleep(0.1)
        return 0

    async def _ask(self, name: str) -> int:
        named = f"idempotency-key: {name}\r\nx-client-request-id: {name}\r\n" if name else ""
        if name:
            self.unanswered.add(name)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            writer.write(f"{self._head}{named}\r\n".encode() + self._body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = answer.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
        finally:
            writer.transport.abort()
        status = int(answer[9:12])
        self.statuses[status] += 1
        self.unanswered.discard(name)
        return status


async def prepare(server: Server, database: Database, credits: int) -> None:
    """Give credit, set a budget, and let Stripe know the tenant."""
    server.run("db", "upgrade")
    server.run("credits", "grant", TENANT, str(credits))
    server.run("budgets", "set", f"{credits}/month")
    async with database.begin() as connection:
        row = {"tenant": TENANT, "id": "cus_bench", "remainder": 0, "created_at": time.time()}
        await connection.execute(insert(customers).values(row))


async def quiet(database: Database, seconds: float = 90) -> None:
    """Wait until no call runs and nothing is on its way to a sink, to Stripe, or to a receipt."""
    on_their_way = (
        select(func.count()).select_from(model_calls).where(model_calls.c.status == "processing"),
        select(func.count()).select_from(outbox),
        select(func.count()).select_from(meter_events).where(meter_events.c.status == "pending"),
        select(func.count()).select_from(owed),
    )
    until = time.monotonic() + seconds
    left: list[int] = [1]
    while any(left):
        if time.monotonic() > until:
            sys.exit(f"WRONG: running, for sinks, for Stripe, receipts owed: {left}")
        await asyncio.sleep(0.2)
        async with database.connect() as connection:
            left = [(await connection.execute(query)).scalar_one() for query in on_their_way]


async def prove(server: Server, database: Database, stripe: FakeMeter, credits: int) -> dict[str, int]:
    """Compare all that counts money; return the sums in 10⁻⁹ credit, which are one, and how many calls there are.

    Looks into the database from beside: commands would say the same, and take as long as a round.
    """
    call = model_calls.c
    async with database.connect() as connection:
        rows = (
            await connection.execute(select(call.id, call.status, call.charge, call.client_request_id))
        ).all()
        chain = (await connection.execute(select(receipts).order_by(receipts.c.number))).all()
        remainder = (await connection.execute(select(customers.c.remainder))).scalar_one()
        spent = (await connection.execute(select(spending.c.spent, spending.c.reserved))).all()
    events: dict[str, int] = {}
    with (server.folder / "events.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event["type"] == "ai.gateway.usage.v1":
                events[event["id"]] = event["data"]["charge_nano"] or 0
    found = await Book(database, per="tenant", welcome=None).balance(Account(TENANT))
    sums = {
        "settled": sum(row.charge or 0 for row in rows),
        "captured": credits * NANO - found.balance,
        "delivered": sum(events.values()),
        "metered": sum(stripe.units.values()) * UNIT + remainder,
        "budgeted": sum(row.spent for row in spent),
    }
    keys = Counter(row.client_request_id for row in rows if row.client_request_id and row.status == "success")
    wrong = {
        "sums that differ": len(set(sums.values())) - 1,
        "held": found.held,
        "reserved": sum(row.reserved for row in spent),
        "calls without their event": len({row.id for row in rows} ^ events.keys()),
        "calls without their receipt": len(
            {row.id for row in rows if row.status == "success"} ^ {row.call for row in chain}
        ),
        "keys billed twice": sum(count > 1 for count in keys.values()),
        "the books": [problem async for problem in verify(database)],
        "the chain of receipts": verify_chain([row.receipt for row in chain], SIGNER.public, whole=True),
    }
    if any(wrong.values()):
        sys.exit(f"WRONG: {wrong}, {sums}")
    states = Counter(row.status for row in rows)
    return {**sums, "calls": len(rows), "success": states["success"], "keys": len(keys)}
