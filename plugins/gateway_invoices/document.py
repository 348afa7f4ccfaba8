"""An invoice as it is kept: everything that stands on it, so that nothing that changes later changes it."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec
from msgspec import Struct

from gateway.doors import Terms

LineKind = Literal["usage", "adjustment", "included", "prepaid", "fee", "credits", "credit_note"]
DocumentKind = Literal["invoice", "credit_note"]


class Party(Struct, frozen=True, kw_only=True):
    """The seller or the customer."""

    name: str
    address: tuple[str, ...] = ()
    country: str = ""
    region: str = ""
    tax_id: str = ""
    email: str = ""


class Quantity(Struct, frozen=True):
    """How much of something was used."""

    unit: str
    """`calls`, `input_tokens`, `cached_tokens`, `output_tokens`, `images`, `seconds`, …"""
    amount: str
    """A decimal number."""


class Line(Struct, frozen=True, kw_only=True):
    """One thing that is asked for."""

    kind: LineKind
    text: str
    """What it is: a model, a plan, or the words of whoever added it."""
    provider: str = ""
    detail: str = ""
    """Which of a unit: `> 200000` tokens of prompt, `1024x1024 high`, `batch`; of a plan's fee its first and last day."""
    quantities: tuple[Quantity, ...] = ()
    credits: int | None = None
    """The sum of the charges in the ledger, in 10⁻⁹ credit; below zero for what of them is not asked for."""
    rate: str | None = None
    """In credits, for `per` of `quantities[0]`; None where no rate leads to `credits`, and for what is not usage."""
    per: int = 1
    unit_price: str | None = None
    """In money, for what is not from the ledger: times `quantities[0]`."""
    amount: int = 0
    """In minor units."""
    item: str | None = None
    """The id of the added line that it is."""


class TaxLine(Struct, frozen=True, kw_only=True):
    """The tax on the whole."""

    name: str
    percent: str
    reverse_charge: bool
    base: int
    """What it is asked on, without it, in minor units."""
    amount: int


class Carried(Struct, frozen=True):
    """What of an earlier invoice, that came to less than nothing, is taken off this one."""

    number: str
    period_start: str
    """Its first day."""
    period_end: str
    """Its last day."""
    amount: int
    """In minor units, below zero."""


class Document(Struct, frozen=True, kw_only=True):
    """What stands on an invoice or credit note. Amounts are minor units; dates are ISO 8601, in UTC."""

    kind: DocumentKind = "invoice"
    number: str = ""
    """Empty until it is issued."""
    entity: str
    tenant: str
    seller: Party
    customer: Party
    language: str
    payment: tuple[str, ...] = ()
    currency: str
    credit_price: str
    rounding: str
    inclusive: bool
    period_start: str
    """The first day."""
    period_end: str
    """The last day."""
    issued_on: str = ""
    due_on: str = ""
    of_number: str = ""
    """Of a credit note: the invoice."""
    reason: str = ""
    lines: tuple[Line, ...]
    net: int
    tax: TaxLine | None
    total: int
    """Below zero, it is owed to the customer: later invoices take it off."""
    carried: tuple[Carried, ...] = ()
    """Of an invoice: what earlier ones leave to be taken off."""
    left: int | None = None
    """Of a credit note: what of it is owed to the customer, as it was not to be paid any more; None where that was not kept."""
    unpriced_calls: int = 0
    """Successful calls in the period that have no charge: they are not asked for."""
    terms: tuple[Terms, ...] | None = None
    """Of an invoice: by what it was worked out what calls do not owe; None for one of before anything was taken off."""

    @property
    def due(self) -> int:
        """What is to be paid for an invoice, in minor units."""
        left = self.total + sum(each.amount for each in self.carried)
        return max(0, left) if self.kind == "invoice" else 0

    @property
    def owed(self) -> int:
        """What is owed to the customer by an invoice or credit note, in minor units: later invoices take it off."""
        return max(0, -self.total) if self.kind == "invoice" else self.left or 0


def encoded(document: Document) -> bytes:
    """The bytes that are kept and hashed."""
    return msgspec.json.encode(document, order="deterministic")


def decoded(raw: bytes) -> Document:
    """The document in bytes that were kept."""
    return msgspec.json.decode(raw, type=Document)


def digest(raw: bytes) -> str:
    """SHA-256 of the kept bytes, in hexadecimal digits."""
    return hashlib.sha256(raw).hexdigest()
