"""Customers, counters, invoices and added lines."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "invoices1"
down_revision = None
branch_labels = ("invoices",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "invoice_customers",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("entity", sa.String(40), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("address", sa.JSON, nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("region", sa.String(10), nullable=False),
        sa.Column("tax_id", sa.String(60), nullable=False),
        sa.Column("email", sa.String(200), nullable=False),
        sa.Column("language", sa.String(5), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "invoice_counters",
        sa.Column("prefix", sa.String(20), primary_key=True),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("value", sa.Integer, nullable=False),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("entity", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("number", sa.String(40), nullable=True, unique=True),
        sa.Column("of", sa.String(40), nullable=True),
        sa.Column("period_start", sa.Float(53), nullable=False),
        sa.Column("period_end", sa.Float(53), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.Column("hash", sa.String(64), nullable=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("issued_at", sa.Float(53), nullable=True),
        sa.Column("paid_at", sa.Float(53), nullable=True),
        sa.Column("voided_at", sa.Float(53), nullable=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.create_index("invoices_tenant", "invoices", ["tenant", "id"])
    op.create_index(
        "invoices_of",
        "invoices",
        ["of"],
        sqlite_where=sa.text('"of" IS NOT NULL'),
        postgresql_where=sa.text('"of" IS NOT NULL'),
    )
    op.create_table(
        "invoice_items",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("text", sa.String(200), nullable=False),
        sa.Column("quantity", sa.String(30), nullable=False),
        sa.Column("unit_price", sa.String(30), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("reference", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("invoice", sa.String(40), nullable=True),
    )
    op.create_index("invoice_items_reference", "invoice_items", ["tenant", "reference"], unique=True)
