"""Stored responses, and the events of those that run in the background."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    running = sa.text("worker IS NOT NULL")
    op.create_table(
        "responses",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("key", sa.String(40), nullable=True),
        sa.Column("model", sa.String(200), nullable=False, comment="as the client wrote it"),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("previous", sa.String(200), nullable=True, comment="the response that it continues"),
        sa.Column("call", sa.String(40), nullable=False, comment="its row in model_calls"),
        sa.Column("background", sa.Boolean, nullable=False),
        sa.Column("stream", sa.Boolean, nullable=False, comment="whether its events are kept"),
        sa.Column("worker", sa.String(40), nullable=True, comment="who runs it, until it has ended"),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False, index=True),
        sa.Column("input", sa.LargeBinary, nullable=False, comment="JSON: its own items"),
        sa.Column("response", sa.LargeBinary, nullable=False, comment="JSON: the response object"),
        sa.Index("responses_running", "worker", sqlite_where=running, postgresql_where=running),
    )
    op.create_table(
        "response_events",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("response", sa.String(200), primary_key=True),
        sa.Column(
            "position",
            sa.Integer,
            primary_key=True,
            autoincrement=False,
            comment="counts the pieces of the stream",
        ),
        sa.Column("data", sa.LargeBinary, nullable=False, comment="server-sent events, whole"),
        comment="what a response in the background has streamed so far",
    )
