"""Names of models that are made while the gateway runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_routes",
        sa.Column("name", sa.String(200), primary_key=True, comment="as clients call it"),
        sa.Column(
            "targets", sa.JSON, nullable=False, comment="as in [models.NAME]; [] leaves those of the config"
        ),
        sa.Column("policy", sa.String(20), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False, server_default=sa.text("true")),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("updated_at", sa.Float(53), nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
