"""Who takes the money for a subscription, and when that one was asked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "subscription2"
down_revision = "subscription1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    who = "of who takes the money; null: nobody else does"
    when = "when that one was asked how it stands"
    op.add_column("subscriptions", sa.Column("reference", sa.String(120), nullable=True, comment=who))
    op.add_column("subscriptions", sa.Column("told_at", sa.Float(53), nullable=True, comment=when))


def downgrade() -> None:
    op.drop_column("subscriptions", "told_at")
    op.drop_column("subscriptions", "reference")
