"""Credentials of several fields."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    kind = sa.Column(
        "kind",
        sa.String(40),
        nullable=False,
        server_default=sa.text("'api_key'"),
        comment="which fields it has, as its provider declares them",
    )
    op.add_column("credentials", kind)
