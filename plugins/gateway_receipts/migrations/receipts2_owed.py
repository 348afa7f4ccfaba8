"""Calls that are to have a receipt and have none yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "receipts2"
down_revision = "receipts1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "receipts_owed",
        sa.Column("call", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
    )
    op.create_index("receipts_owed_at", "receipts_owed", ["at"])


def downgrade() -> None:
    op.drop_table("receipts_owed")
