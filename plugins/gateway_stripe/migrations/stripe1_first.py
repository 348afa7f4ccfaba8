"""Customers, orders, reversals, subscriptions, handled events and metered usage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "stripe1"
down_revision = None
branch_labels = ("stripe",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stripe_customers",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(100), nullable=False, unique=True),
        sa.Column("remainder", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "stripe_orders",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("user", sa.String(200), nullable=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("item", sa.String(100), nullable=False),
        sa.Column("credits", sa.BigInteger, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=True),
        sa.Column("currency", sa.String(3), nullable=True),
        sa.Column("price", sa.String(100), nullable=True),
        sa.Column("customer", sa.String(100), nullable=False),
        sa.Column("session", sa.String(200), nullable=True, unique=True),
        sa.Column("url", sa.Text, nullable=True),
        sa.Column("payment", sa.String(100), nullable=True, unique=True),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("problem", sa.Text, nullable=True),
        sa.Column("reversed", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("paid_at", sa.Float(53), nullable=True),
    )
    op.create_table(
        "stripe_reversals",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("order", sa.String(40), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("credits", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "stripe_subscriptions",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("customer", sa.String(100), nullable=False),
        sa.Column("plan", sa.String(100), nullable=True),
        sa.Column("status", sa.String(30), nullable=False),
        sa.Column("period_end", sa.Float(53), nullable=True),
        sa.Column("ends", sa.Boolean, nullable=False),
        sa.Column("seen_at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "stripe_events",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("object", sa.String(200), nullable=False),
        sa.Column("outcome", sa.String(8), nullable=False),
        sa.Column("problem", sa.Text, nullable=True),
        sa.Column("handled_at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "stripe_meter_events",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("customer", sa.String(100), nullable=False),
        sa.Column("units", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(8), nullable=False),
        sa.Column("problem", sa.Text, nullable=True),
        sa.Column("tried_at", sa.Float(53), nullable=True),
    )
    op.create_table(
        "stripe_metered_calls",
        sa.Column("call", sa.String(40), primary_key=True),
        sa.Column("at", sa.Float(53), nullable=False),
    )
    op.create_index("stripe_orders_tenant", "stripe_orders", ["tenant", "created_at"])
    op.create_index("ix_stripe_reversals_order", "stripe_reversals", ["order"])
    op.create_index("ix_stripe_subscriptions_tenant", "stripe_subscriptions", ["tenant"])
    op.create_index("ix_stripe_events_handled_at", "stripe_events", ["handled_at"])
    op.create_index("stripe_meter_events_status", "stripe_meter_events", ["status"])
    op.create_index("ix_stripe_metered_calls_at", "stripe_metered_calls", ["at"])
