"""How delivering to sinks goes, and the calls that a sink will not take."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    attempts = sa.Column(
        "attempts",
        sa.Integer,
        nullable=False,
        server_default=sa.text("0"),
        comment="how often the sink failed to take this very call",
    )
    op.add_column("outbox", attempts)
    due_at = sa.Column(
        "due_at",
        sa.Float(53),
        nullable=False,
        server_default=sa.text("0"),
        comment="not to be tried before",
    )
    op.add_column("outbox", due_at)
    op.create_table(
        "dead_letters",
        sa.Column("sink", sa.String(100), primary_key=True),
        sa.Column("call", sa.String(40), primary_key=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False, comment="why the sink did not take it, the last time"),
        sa.Column("died_at", sa.Float(53), nullable=False),
        comment="settled calls that a sink will not take; `gateway events replay --dead` sends them again",
    )
    op.create_table(
        "sink_states",
        sa.Column("sink", sa.String(100), primary_key=True),
        sa.Column("delivered", sa.BigInteger, nullable=False, comment="how many calls it has taken"),
        sa.Column("delivered_at", sa.Float(53), nullable=True),
        sa.Column("failed_at", sa.Float(53), nullable=True),
        sa.Column("error", sa.Text, nullable=True, comment="its last one"),
        comment="how delivering to a sink goes",
    )
