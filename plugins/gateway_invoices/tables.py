"""Customers, invoices, what is to be added to the next one, and the counters of numbers."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

customers = Table(
    "invoice_customers",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("entity", String(40), nullable=True, comment="who invoices it; null: the usual one"),
    Column("name", String(200), nullable=False),
    Column("address", JSON, nullable=False, comment="lines"),
    Column("country", String(2), nullable=False),
    Column("region", String(10), nullable=False),
    Column("tax_id", String(60), nullable=False),
    Column("email", String(200), nullable=False),
    Column("language", String(5), nullable=False),
    Column("revision", BigInteger, nullable=False, comment="of the last change; see revisions"),
)

counters = Table(
    "invoice_counters",
    metadata,
    Column("prefix", String(20), primary_key=True, comment="of a legal entity's invoices or credit notes"),
    Column("entity", String(40), nullable=False),
    Column("value", Integer, nullable=False, comment="the last number given"),
)

invoices = Table(
    "invoices",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("entity", String(40), nullable=False),
    Column("kind", String(12), nullable=False, comment="invoice or credit_note"),
    Column("status", String(8), nullable=False, comment="draft, issued, paid or void"),
    Column("number", String(40), nullable=True, unique=True),
    Column("of", String(40), nullable=True, comment="of a credit note: the id of its invoice"),
    Column("period_start", Float(53), nullable=False),
    Column("period_end", Float(53), nullable=False, comment="the first moment after it"),
    Column("currency", String(3), nullable=False),
    Column("total", BigInteger, nullable=False, comment="in minor units"),
    Column(
        "open",
        BigInteger,
        nullable=False,
        server_default="0",
        comment="still to be paid; below zero, owed to the customer",
    ),
    Column("document", LargeBinary, nullable=False, comment="JSON: all that stands on it"),
    Column("hash", String(64), nullable=True, comment="SHA-256 of the document, from issue on"),
    Column("created_at", Float(53), nullable=False),
    Column("issue_at", Float(53), nullable=True, comment="of a draft: from when on the gateway issues it"),
    Column("issued_at", Float(53), nullable=True),
    Column("paid_at", Float(53), nullable=True),
    Column("voided_at", Float(53), nullable=True),
    Column("revision", BigInteger, nullable=False, comment="of the last change; see revisions"),
    Index("invoices_tenant", "tenant", "id"),
    Index(
        "invoices_of", "of", sqlite_where=text('"of" IS NOT NULL'), postgresql_where=text('"of" IS NOT NULL')
    ),
)

runs = Table(
    "invoice_runs",
    metadata,
    Column("period_start", Float(53), primary_key=True),
    Column("period_end", Float(53), nullable=False, comment="the first moment after it"),
    Column("holder", String(60), nullable=True, comment="the worker that drafts"),
    Column("held_until", Float(53), nullable=False, comment="when another may go on in its place"),
    Column("drafted", Integer, nullable=False),
    Column("error", Text, nullable=True, comment="what stopped it, until a later try succeeds"),
    Column("done_at", Float(53), nullable=True),
    comment="months whose drafts the gateway makes",
)

outcomes = Table(
    "invoice_outcomes",
    metadata,
    Column("period_start", Float(53), primary_key=True, comment="of the run"),
    Column("tenant", String(64), primary_key=True),
    Column("state", String(12), nullable=False, comment="drafted, failed or without_data"),
    Column("error", Text, nullable=True, comment="why there is no draft, or why it is not issued"),
    comment="what became of each tenant in a month; those that used nothing are not there",
)

items = Table(
    "invoice_items",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(12), nullable=False, comment="fee, adjustment or credits"),
    Column("text", String(200), nullable=False),
    Column("quantity", String(30), nullable=False, comment="a decimal number"),
    Column("unit_price", String(30), nullable=False, comment="a decimal number of money; may be negative"),
    Column("currency", String(3), nullable=False),
    Column("reference", String(200), nullable=False, comment="the reason, told once"),
    Column("created_at", Float(53), nullable=False),
    Column("invoice", String(40), nullable=True, comment="the id of the issued one on which it stands"),
    Index("invoice_items_reference", "tenant", "reference", unique=True),
)
