"""Seats and the beginning of the period of subscriptions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "stripe2"
down_revision = "stripe1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    seats = sa.Column("seats", sa.Integer, nullable=False, server_default=sa.text("1"))
    op.add_column("stripe_subscriptions", seats)
    op.add_column("stripe_subscriptions", sa.Column("period_start", sa.Float(53), nullable=True))


def downgrade() -> None:
    op.drop_column("stripe_subscriptions", "period_start")
    op.drop_column("stripe_subscriptions", "seats")
