"""What callers are asked for a call, beside what it costs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    comment = "what the caller is asked, in 10⁻⁹ credit"
    op.add_column("model_calls", sa.Column("charge", sa.BigInteger, nullable=True, comment=comment))
    column = sa.Column("charge", sa.BigInteger, nullable=False, server_default=sa.text("0"))
    op.add_column("usage_buckets", column)
