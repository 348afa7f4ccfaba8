"""The tables of `billing.subscription`. Money is in 10⁻⁹ of its currency, usage in 10⁻⁹ credit, times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text, text

metadata = MetaData()

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False, unique=True),
    Column("plan", String(64), nullable=False),
    Column("seats", Integer, nullable=False),
    Column("status", String(10), nullable=False),
    Column("anchor", BigInteger, nullable=False, comment="when the periods began to be counted"),
    Column("number", Integer, nullable=False, comment="of the period, from 0"),
    Column("period_start", BigInteger, nullable=False),
    Column("period_end", BigInteger, nullable=False),
    Column("included", BigInteger, nullable=True, comment="usage of this period; null is not limited"),
    Column(
        "overage", String(8), nullable=True, comment="refuse, charge or allow, from when the period began"
    ),
    Column("price", BigInteger, nullable=True, comment="of the whole period, as it was when it began"),
    Column(
        "whole",
        BigInteger,
        nullable=True,
        comment="usage that the whole of it would include by its terms; null is not limited, or not kept",
    ),
    Column(
        "given",
        BigInteger,
        nullable=True,
        comment="the most usage that was included in this period until now",
    ),
    Column("next_plan", String(64), nullable=True, comment="from the next period on"),
    Column("next_seats", Integer, nullable=True),
    Column("cancel_at_end", Boolean, nullable=False),
    Column("grace_until", BigInteger, nullable=True, comment="while a payment is overdue"),
    Column("reference", String(120), nullable=True, comment="of who takes the money; null: nobody else does"),
    Column("told_at", Float(53), nullable=True, comment="when that one was asked how it stands"),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, comment="of the last change; see revisions"),
)

charges = Table(
    "subscription_charges",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("subscription", String(40), nullable=False),
    Column("tenant", String(64), nullable=False, index=True),
    Column("kind", String(12), nullable=False, comment="trial, period, or part and unused of one"),
    Column("plan", String(64), nullable=False),
    Column("name", Text, nullable=True, comment="of the plan, as it was then"),
    Column("seats", Integer, nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("end", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False, comment="negative where money is given back"),
    Column("currency", String(3), nullable=False),
    Column("included", BigInteger, nullable=False, comment="usage that comes with it"),
    Column("overage", String(8), nullable=True, comment="what happens beyond it, as it was then"),
    Column("granted", Boolean, nullable=False, comment="whether that was given as credit, if there is any"),
    Column("created_at", Float(53), nullable=False),
    Index(
        "subscription_charges_due",
        "id",
        sqlite_where=text("granted = false"),
        postgresql_where=text("granted = false"),
    ),
    comment="what subscriptions cost, for invoices",
)

usage = Table(
    "subscription_usage",
    metadata,
    Column("subscription", String(40), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False, comment="the sum of the holds of calls under way"),
    sqlite_with_rowid=False,
)

holds = Table(
    "subscription_holds",
    metadata,
    Column("call", String(40), primary_key=True),
    Column("subscription", String(40), nullable=False),
    Column("start", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("status", String(10), nullable=False, comment="held or settled; settled ones are swept away"),
    Index(
        "subscription_holds_settled",
        "call",
        sqlite_where=text("status = 'settled'"),
        postgresql_where=text("status = 'settled'"),
    ),
    sqlite_with_rowid=False,
)
