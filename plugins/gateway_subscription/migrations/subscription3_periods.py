"""Every period has its row of usage from when it begins: those that began before, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "subscription3"
down_revision = "subscription2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        sa.text(
            "INSERT INTO subscription_usage (subscription, start, spent, reserved)"
            " SELECT id, period_start, 0, 0 FROM subscriptions WHERE true"
            " ON CONFLICT DO NOTHING"
        )
    )


def downgrade() -> None:
    """The rows stay: without them nothing is different."""
