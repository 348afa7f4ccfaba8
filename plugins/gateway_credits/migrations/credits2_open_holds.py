"""Holds go with their calls: no index has to find those that are still open."""

from __future__ import annotations

from alembic import op

revision = "credits2"
down_revision = "credits1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("credit_holds_open", "credit_holds")
    op.execute("DELETE FROM credit_holds WHERE status <> 'held'")
