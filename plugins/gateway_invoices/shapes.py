"""What the admin API takes and shows of invoices."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from gateway.admin.shapes import Body, PageQuery, Query, Shown
from gateway_invoices.config import Country, Language
from gateway_invoices.exporting import Format

_Text = Annotated[str, Field(min_length=1, max_length=200)]


class InvoiceShown(Shown):
    """An invoice or credit note. Amounts are decimal text in its currency."""

    id: str
    number: str | None
    kind: Literal["invoice", "credit_note"]
    status: Literal["draft", "issued", "paid", "void"]
    tenant: str
    entity: str
    period_start: date
    period_end: date
    issued_on: date | None
    due_on: date | None
    currency: str
    net: str
    tax: str
    total: str = Field(description="Below zero, later invoices take it off.")
    due: str = Field(
        description="To be paid for it: the total, less what was carried over from earlier ones."
    )
    open: str = Field(
        description="Of that, what is still to be paid by now; below zero, what is owed to the customer."
    )
    hash: str | None = Field(description="SHA-256 of the document as it was issued.")


class RunShown(Shown):
    """A month that the gateway drafts by itself."""

    month: str = Field(description="As `2026-10`, in UTC.")
    state: Literal["waiting", "drafting", "failed", "done"] = Field(
        description="Waiting for its end or its turn; failed until a later try succeeds."
    )
    error: str | None = Field(description="What stopped it.")
    drafted: int = Field(description="Tenants with an invoice or draft for it.")
    failed: int = Field(description="Tenants for which no draft could be made.")
    without_data: int = Field(description="Tenants that were charged and have no customer data.")
    done_at: str | None


class OutcomeShown(Shown):
    """What became of a tenant in a month."""

    tenant: str
    state: Literal["draft", "issued", "paid", "void", "drafted", "failed", "without_data"] = Field(
        description="Where there is an invoice, its status."
    )
    error: str | None = Field(description="Why there is no draft, or why it is not issued.")
    invoice: str | None = Field(description="The id of the latest invoice or draft for the month.")


class CustomerData(Body):
    """To whom invoices go."""

    name: _Text
    address: list[_Text] = Field(min_length=1, max_length=6, description="Lines below the name.")
    country: Country = Field(description="As ISO 3166 has it: `DE`.")
    region: str = Field(default="", max_length=10, description="A part of the country for taxes, as `CA`.")
    tax_id: str = Field(default="", max_length=60)
    email: str = Field(default="", max_length=200)
    language: Language = "en"


class CustomerShown(CustomerData, Shown):
    """The same, as it is."""


class DownloadQuery(Query):
    """In which format."""

    format: Format = "pdf"


class AllQuery(PageQuery):
    """Which of all invoices."""

    customer: str | None = Field(default=None, max_length=64, description="The id of a tenant.")
    status: Literal["draft", "issued", "paid", "void"] | None = None


class NewDraft(Body):
    """For whom, and for which days in UTC."""

    tenant: str = Field(min_length=1, max_length=64)
    first_day: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    last_day: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    entity: str | None = Field(default=None, max_length=40)


class NewCredit(Body):
    """What to take back."""

    amount: str | None = Field(
        default=None,
        max_length=30,
        pattern=r"^\d+(\.\d+)?$",
        description="With the tax; null for all that is left.",
    )
    reason: _Text
