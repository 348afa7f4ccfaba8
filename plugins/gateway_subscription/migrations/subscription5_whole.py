"""What the whole of a period includes by its terms is kept with it. Periods of before go by today's plan until they end."""

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


def downgrade() -> None:
    op.drop_column("subscriptions", "whole")
