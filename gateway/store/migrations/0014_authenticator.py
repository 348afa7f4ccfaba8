"""Which authenticator recognised a caller: some pay for their calls in another way than others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    who = "who recognised the caller; null where that was not written down"
    op.add_column("model_calls", sa.Column("authenticator", sa.String(100), nullable=True, comment=who))
