"""What invoices are made by: who sends them, in which currency, with which taxes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from gateway.plugin import PluginConfig

Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Language = Literal["en", "ja"]
Rounding = Literal["line", "invoice"]
_Prefix = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[A-Za-z0-9._-]+$")]


class TaxRate(PluginConfig):
    """A rate that holds for customers of a place, for a time."""

    country: Country = Field(description="Of the customer, as ISO 3166 has it: `DE`.")
    region: str = Field(
        default="", max_length=10, description="A part of it, as `CA`; it goes before the whole."
    )
    name: str = Field(min_length=1, max_length=60, description="As it stands on the invoice: `VAT`.")
    percent: Decimal = Field(ge=0, le=100, max_digits=7, decimal_places=4, description="As `19` or `8.875`.")
    valid_from: date = Field(default=date.min, description="The first day on which it holds.")
    valid_until: date = Field(default=date.max, description="The last day on which it holds.")
    reverse_charge: bool = Field(
        default=False, description="Customers with a tax id owe the tax themselves, and a note says so."
    )

    @model_validator(mode="after")
    def _in_order(self) -> TaxRate:
        if self.valid_until < self.valid_from:
            raise ValueError("`valid_until` lies before `valid_from`")
        return self


class Entity(PluginConfig):
    """A company that sends invoices. Its numbers are its own."""

    name: str = Field(min_length=1, max_length=200, description="Its legal name.")
    address: tuple[str, ...] = Field(min_length=1, max_length=6, description="Lines below the name.")
    country: Country = Field(description="As ISO 3166 has it: `DE`.")
    tax_id: str = Field(default="", max_length=60, description="Its tax number, or VAT id.")
    email: str = Field(default="", max_length=200, description="Where customers ask.")
    payment: tuple[str, ...] = Field(
        default=(), max_length=8, description="How to pay: lines at the end, as bank and account."
    )
    currency: Currency = Field(default="USD", description="As ISO 4217 has it.")
    credit_price: Decimal = Field(
        default=Decimal(1), gt=0, max_digits=18, decimal_places=9, description="What a credit costs in it."
    )
    prefix: _Prefix = Field(default="INV-", description="Before the numbers of its invoices.")
    credit_prefix: _Prefix = Field(default="CN-", description="Before the numbers of its credit notes.")
    due_days: int = Field(default=14, ge=0, le=365, description="Days between issue and due date.")
    rounding: Rounding = Field(
        default="invoice",
        description="Round each `line` by itself, or the sum of the `invoice` once; lines then share it out.",
    )
    inclusive: bool = Field(default=False, description="The price of a credit includes the tax.")
    taxes: tuple[TaxRate, ...] = Field(default=(), description="Where none fits, there is no tax.")


class Automatic(PluginConfig):
    """Invoices that are made by the running gateway when a month has ended, in UTC."""

    issue_after_days: int | None = Field(
        default=None,
        ge=0,
        le=60,
        description="Days after the month's end from which its drafts are issued; unless told, somebody issues them.",
    )


class InvoicesConfig(PluginConfig):
    """Settings of `billing.invoices`."""

    entities: dict[Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,40}$")], Entity] = Field(
        min_length=1,
        description="The companies that send invoices, by short names; the first is the usual one.",
    )
    automatic: Automatic | None = Field(
        default=None,
        description="Draft for all customers when a month has ended; an empty table says so. Begins with the month in which it is first there.",
    )
    font: Path | None = Field(
        default=None,
        description="A TrueType font for PDF, embedded; unless given, what Western Europe writes and Japanese can be shown.",
    )

    @model_validator(mode="after")
    def _apart(self) -> InvoicesConfig:
        seen: set[str] = set()
        for entity in self.entities.values():
            for prefix in (entity.prefix, entity.credit_prefix):
                if prefix in seen:
                    raise ValueError(f"two series of numbers begin with {prefix!r}; give each its own prefix")
                seen.add(prefix)
        return self
