"""A grant tells how much of it has expired, apart from what was spent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "credits4"
down_revision = "credits3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("credit_grants", sa.Column("expired", sa.BigInteger, nullable=False, server_default="0"))
    op.execute(
        "UPDATE credit_grants SET expired = coalesce((SELECT -sum(amount) FROM credit_journal"
        " WHERE credit_journal.tenant = credit_grants.tenant AND credit_journal.owner = credit_grants.owner"
        " AND credit_journal.kind = 'expiry' AND credit_journal.note = credit_grants.id"
        " AND credit_journal.at >= credit_grants.expires_at), 0)"
        " WHERE expires_at IS NOT NULL"
    )


def downgrade() -> None:
    op.drop_column("credit_grants", "expired")
