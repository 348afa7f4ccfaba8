"""Subscriptions, what they cost, and the usage that comes with them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "subscription1"
down_revision = None
branch_labels = ("subscription",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False, unique=True),
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("seats", sa.Integer, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("anchor", sa.BigInteger, nullable=False, comment="when the periods began to be counted"),
        sa.Column("number", sa.Integer, nullable=False, comment="of the period, from 0"),
        sa.Column("period_start", sa.BigInteger, nullable=False),
        sa.Column("period_end", sa.BigInteger, nullable=False),
        sa.Column(
            "included", sa.BigInteger, nullable=True, comment="usage of this period; null is not limited"
        ),
        sa.Column("next_plan", sa.String(64), nullable=True, comment="from the next period on"),
        sa.Column("next_seats", sa.Integer, nullable=True),
        sa.Column("cancel_at_end", sa.Boolean, nullable=False),
        sa.Column("grace_until", sa.BigInteger, nullable=True, comment="while a payment is overdue"),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("updated_at", sa.Float(53), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False, comment="of the last change; see revisions"),
    )
    op.create_table(
        "subscription_charges",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("subscription", sa.String(40), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False, index=True),
        sa.Column("kind", sa.String(12), nullable=False, comment="trial, period, or part and unused of one"),
        sa.Column("plan", sa.String(64), nullable=False),
        sa.Column("seats", sa.Integer, nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("end", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False, comment="negative where money is given back"),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("included", sa.BigInteger, nullable=False, comment="usage that comes with it"),
        sa.Column(
            "granted", sa.Boolean, nullable=False, comment="whether that was given as credit, if there is any"
        ),
        sa.Column("created_at", sa.Float(53), nullable=False),
        comment="what subscriptions cost, for invoices",
    )
    op.create_index(
        "subscription_charges_due",
        "subscription_charges",
        ["id"],
        sqlite_where=sa.text("granted = false"),
        postgresql_where=sa.text("granted = false"),
    )
    op.create_table(
        "subscription_usage",
        sa.Column("subscription", sa.String(40), primary_key=True),
        sa.Column("start", sa.BigInteger, primary_key=True),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column(
            "reserved", sa.BigInteger, nullable=False, comment="the sum of the holds of calls under way"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "subscription_holds",
        sa.Column("call", sa.String(40), primary_key=True),
        sa.Column("subscription", sa.String(40), nullable=False),
        sa.Column("start", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column(
            "status", sa.String(10), nullable=False, comment="held or settled; settled ones are swept away"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "subscription_holds_settled",
        "subscription_holds",
        ["call"],
        sqlite_where=sa.text("status = 'settled'"),
        postgresql_where=sa.text("status = 'settled'"),
    )
