"""Jobs that providers have taken on."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(40), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("model", sa.String(200), nullable=False, comment="as the client wrote it"),
        sa.Column("provider", sa.String(100), nullable=False),
        sa.Column("upstream_id", sa.String(500), nullable=False),
        sa.Column("upstream_model", sa.String(200), nullable=False),
        sa.Column("credential", sa.String(16), nullable=False, comment="the mark of the one that started it"),
        sa.Column("call", sa.String(40), nullable=False, comment="its row in model_calls"),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False, index=True),
        sa.Column("shown", sa.LargeBinary, nullable=False, comment="JSON: as the client saw it last"),
        comment="work that providers have taken on and that outlasts its call",
    )
