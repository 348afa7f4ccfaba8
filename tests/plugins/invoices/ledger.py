"""Puts tenants and calls into the ledger."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert

from gateway.doors import Covers
from gateway.ledger import PriceBook, Pricing, RatedCalls
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.tables import model_calls, tenants
from gateway_invoices.book import Book
from gateway_invoices.config import InvoicesConfig
from gateway_invoices.customers import Customer, set_customer

ACTOR = Actor(kind="command", id="test")
PRICES = PriceBook.load()
_COUNT = itertools.count(1)


def at(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


START, END = at("2026-10-01"), at("2026-11-01")
NOON = at("2026-10-16") + 43_200


def book_of(
    database: Database, config: InvoicesConfig, pricing: Pricing | None = None, *covers: Covers
) -> Book:
    """A book that knows the rates of the shipped price book, or of another."""
    prices = pricing or Pricing(PRICES)
    return Book(database, config, lambda: RatedCalls(lambda: prices, dict), lambda: covers)


async def add_tenant(database: Database, tenant: str = "acme", **customer: Any) -> None:
    async with database.begin() as connection:
        await connection.execute(insert(tenants).values(id=tenant, name=tenant, created_at=START))
    data: dict[str, Any] = {"name": "Acme", "address": ("1 Example Road",), "country": "DE", **customer}
    await set_customer(database, tenant, Customer(**data), actor=ACTOR)


def call_values(when: float = NOON, tenant: str = "acme", **values: Any) -> dict[str, Any]:
    """A row of the ledger."""
    return {
        "id": f"call_{int(when * 1000):012x}{next(_COUNT):016x}",
        "request_id": "req_1",
        "tenant": tenant,
        "capability": "chat",
        "dialect": "openai.chat",
        "model": "gpt-5",
        "upstream_model": "gpt-5",
        "provider": "openai",
        "stream": False,
        "worker": "test",
        "received_at": when,
        "status": "success",
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "charge": 1_000_000_000,
        **values,
    }


async def add_call(database: Database, when: float = NOON, tenant: str = "acme", **values: Any) -> str:
    row = call_values(when, tenant, **values)
    async with database.begin() as connection:
        await connection.execute(insert(model_calls).values(row))
    return row["id"]
