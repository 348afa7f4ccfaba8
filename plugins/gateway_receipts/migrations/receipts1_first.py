"""Chains and their receipts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "receipts1"
down_revision = None
branch_labels = ("receipts",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipt_chains",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(40), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("hash", sa.String(43), nullable=True),
    )
    op.create_table(
        "receipts",
        sa.Column("call", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("receipt", sa.Text, nullable=False),
    )
    op.create_index("receipts_number", "receipts", ["tenant", "number"], unique=True)


def downgrade() -> None:
    op.drop_table("receipts")
    op.drop_table("receipt_chains")
