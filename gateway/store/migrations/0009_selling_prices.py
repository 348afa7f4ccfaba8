"""Selling prices beside cost, and what a repricing adds to calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "how cost became charge; null: they are the same"
    op.add_column("model_calls", sa.Column("selling", sa.String(60), nullable=True, comment=comment))
    op.create_table(
        "selling_prices",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=True),
        sa.Column(
            "plan", sa.String(64), nullable=True, comment="without tenant and plan it holds for everybody"
        ),
        sa.Column("provider", sa.String(100), nullable=False, comment="as in the price book, or *"),
        sa.Column("model", sa.String(200), nullable=False, comment="as its provider calls it, or *"),
        sa.Column(
            "margin_percent",
            sa.String(30),
            nullable=True,
            comment="a decimal number; null where rates are given",
        ),
        sa.Column("rates", sa.JSON, nullable=True, comment="in credits, as in a price file, numbers as text"),
        sa.Column("valid_from", sa.Float(53), nullable=False),
        sa.Column("valid_until", sa.Float(53), nullable=True),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False, comment="of the last change; see revisions"),
        comment="what is asked in place of cost and the usual margin",
    )
    op.create_table(
        "price_adjustments",
        sa.Column(
            "call",
            sa.String(40),
            primary_key=True,
            comment="its row in model_calls, which stays as it is",
        ),
        sa.Column("number", sa.Integer, primary_key=True, comment="1 for the first of the call"),
        sa.Column("tenant", sa.String(64), nullable=False, index=True),
        sa.Column("key", sa.String(40), nullable=True),
        sa.Column("model", sa.String(200), nullable=False, comment="as the client wrote it"),
        sa.Column("received_at", sa.Float(53), nullable=False, comment="of the call"),
        sa.Column("cost", sa.BigInteger, nullable=False, comment="to be added; may be negative"),
        sa.Column(
            "charge",
            sa.BigInteger,
            nullable=False,
            comment="to be added, in 10⁻⁹ credit; may be negative",
        ),
        sa.Column("price_version", sa.String(40), nullable=True, comment="of the price that holds now"),
        sa.Column("selling", sa.String(60), nullable=True, comment="as in model_calls, of what holds now"),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column(
            "revision", sa.BigInteger, nullable=False, index=True, comment="of the repricing; see revisions"
        ),
        comment="what calls cost more or less than was written when they ended",
    )
