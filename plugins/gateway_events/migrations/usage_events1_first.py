"""The table of usage events."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "usage_events1"
down_revision = None
branch_labels = ("usage_events",)
depends_on = None


def upgrade() -> None:
    ended = "when the call ended, in UTC"
    op.create_table(
        "usage_events",
        sa.Column("id", sa.String(40), primary_key=True, comment="of the call and of its event"),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False, index=True, comment=ended),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("user", sa.String(200), nullable=True),
        sa.Column("model", sa.String(200), nullable=False, comment="as the client wrote it"),
        sa.Column("provider", sa.String(100), nullable=True),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("cost_nano", sa.BigInteger, nullable=True, comment="10⁻⁹ of the price book's currency"),
        sa.Column("charge_nano", sa.BigInteger, nullable=True, comment="10⁻⁹ credit"),
        sa.Column(
            "event", sa.JSON, nullable=False, comment="the whole event, as CloudEvents writes it in JSON"
        ),
        comment="an event for each settled call",
    )
