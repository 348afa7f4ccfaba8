"""What the whole of a period includes by its terms, and the most that it gave, is kept. Those of before go by today's plan."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "subscription5"
down_revision = "subscription4"
branch_labels = None
depends_on = None


def upgrade() -> None:
    whole = "usage that the whole of it would include by its terms; null is not limited, or not kept"
    op.add_column("subscriptions", sa.Column("whole", sa.BigInteger, nullable=True, comment=whole))
    given = "the most usage that was included in this period until now"
    op.add_column("subscriptions", sa.Column("given", sa.BigInteger, nullable=True, comment=given))


def downgrade() -> None:
    op.drop_column("subscriptions", "given")
    op.drop_column("subscriptions", "whole")
