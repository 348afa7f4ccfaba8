"""Sellers, customers and lines to make invoices of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from gateway_invoices.config import Entity, InvoicesConfig
from gateway_invoices.document import Document, Line, Party, Quantity
from gateway_invoices.totals import total

LAST = date(2026, 10, 31)


def seller(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Example AI GmbH",
        "address": ["Beispielstraße 1", "10115 Berlin", "Germany"],
        "country": "DE",
        "tax_id": "DE000000000",
        "email": "billing@example.com",
        "payment": ["Example Bank, IBAN DE00 0000 0000 0000 0000 00", "Please name the invoice's number."],
        "currency": "EUR",
        "credit_price": "0.95",
        "taxes": [
            {"country": "DE", "name": "VAT", "percent": "19", "valid_from": "2021-01-01"},
            {"country": "DE", "name": "VAT", "percent": "16", "valid_until": "2020-12-31"},
            {"country": "AT", "name": "VAT", "percent": "20", "reverse_charge": True},
            {"country": "US", "region": "NY", "name": "Sales tax", "percent": "8.875"},
        ],
        **changes,
    }


def config(**entities: dict[str, Any]) -> InvoicesConfig:
    return InvoicesConfig.model_validate({"entities": entities or {"main": seller()}})


def customer(**changes: Any) -> Party:
    values: dict[str, Any] = {
        "name": "Acme Widgets Ltd",
        "address": ("1 Example Road", "20095 Hamburg"),
        "country": "DE",
        "tax_id": "DE111111111",
        **changes,
    }
    return Party(**values)


def usage(credits: int, text: str = "gpt-5", **quantities: Any) -> Line:
    counts = quantities or {"calls": 1}
    return Line(
        kind="usage",
        provider="openai",
        text=text,
        credits=credits,
        quantities=tuple(Quantity(name, str(count)) for name, count in counts.items()),
    )


def document(
    entity: Entity, to: Party, lines: Sequence[Line], *, language: str = "en", **more: Any
) -> Document:
    sums = total(entity, to, lines, LAST)
    values: dict[str, Any] = {
        "number": "INV-000042",
        "entity": "main",
        "tenant": "acme",
        "seller": Party(name=entity.name, address=entity.address, tax_id=entity.tax_id, email=entity.email),
        "customer": to,
        "language": language,
        "payment": entity.payment,
        "currency": entity.currency,
        "credit_price": str(entity.credit_price),
        "rounding": entity.rounding,
        "inclusive": entity.inclusive,
        "period_start": "2026-10-01",
        "period_end": "2026-10-31",
        "issued_on": "2026-11-02",
        "due_on": "2026-11-16",
        "lines": sums.lines,
        "net": sums.net,
        "tax": sums.tax,
        "total": sums.total,
        **more,
    }
    return Document(**values)
