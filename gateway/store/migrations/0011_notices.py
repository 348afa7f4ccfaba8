"""Notices for sinks, and what was billed under Idempotency-Keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column(
            "id",
            sa.String(40),
            primary_key=True,
            comment="made of what it tells of: telling twice makes one",
        ),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("user", sa.String(200), nullable=True),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("sent", sa.Boolean, nullable=False, comment="whether it is in the outboxes of the sinks"),
        comment="refunds, adjustments, low balances: what sinks are told of beside calls",
    )
    op.create_index("notices_tenant", "notices", ["tenant", "at"])
    new = sa.text("NOT sent")
    op.create_index("notices_new", "notices", ["at"], sqlite_where=new, postgresql_where=new)
    op.create_table(
        "answered_calls",
        sa.Column("call", sa.String(40), primary_key=True, comment="a call that was billed"),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column(
            "answer", sa.String(64), nullable=False, comment="the row of kept_answers that it was made for"
        ),
        sa.Column("worker", sa.String(40), nullable=False, comment="who made it, and has to keep the answer"),
        comment="what was billed under an Idempotency-Key, in case that its answer is lost",
    )
    op.create_index("answered_calls_answer", "answered_calls", ["tenant", "answer"])
