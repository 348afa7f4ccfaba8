"""Files, and the batches of requests that are made of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "files",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(40), nullable=True),
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("purpose", sa.String(40), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column(
            "whole",
            sa.Boolean,
            nullable=False,
            comment="whether all of its content is there; else nobody sees it",
        ),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=True, index=True),
    )
    op.create_table(
        "file_chunks",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("file", sa.String(64), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False, comment="counts the chunks"),
        sa.Column("data", sa.LargeBinary, nullable=False),
        comment="the content of files, cut so that it is never held whole",
    )
    _create_batches()


def _create_batches() -> None:
    op.create_table(
        "batches",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("principal", sa.LargeBinary, nullable=False, comment="JSON: for whom its calls are made"),
        sa.Column("endpoint", sa.String(100), nullable=False),
        sa.Column("input_file", sa.String(64), nullable=False),
        sa.Column("metadata", sa.LargeBinary, nullable=True, comment="JSON, as the client gave it"),
        sa.Column(
            "output_seconds",
            sa.Float(53),
            nullable=True,
            comment="how long its files are kept, if not as usual",
        ),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column(
            "ends_as",
            sa.String(12),
            nullable=True,
            comment="the status that is to come once its files are written",
        ),
        sa.Column("worker", sa.String(40), nullable=True, comment="who runs it, until it has ended"),
        sa.Column("model", sa.String(200), nullable=True, comment="if all its lines ask the same one"),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("completed", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.Column("in_progress_at", sa.Float(53), nullable=True),
        sa.Column("finalizing_at", sa.Float(53), nullable=True),
        sa.Column("cancelling_at", sa.Float(53), nullable=True),
        sa.Column("ended_at", sa.Float(53), nullable=True),
        sa.Column("output_file", sa.String(64), nullable=True),
        sa.Column("error_file", sa.String(64), nullable=True),
        sa.Column(
            "errors", sa.LargeBinary, nullable=True, comment="JSON: what was wrong with the input file"
        ),
        sa.Column("usage", sa.LargeBinary, nullable=True, comment="JSON: the sum over its calls"),
        sa.Index(
            "batches_running",
            "status",
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )
    op.create_table(
        "batch_lines",
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("batch", sa.String(64), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, comment="of the line, from 1"),
        sa.Column("custom_id", sa.Text, nullable=False),
        sa.Column("state", sa.String(12), nullable=False, comment="waiting, running, completed or failed"),
        sa.Column(
            "tries", sa.SmallInteger, nullable=False, comment="how often its process died while it ran"
        ),
        sa.Column("call", sa.String(40), nullable=True, comment="its latest row in model_calls"),
        sa.Column(
            "request", sa.LargeBinary, nullable=True, comment="JSON: the body; gone once the batch has ended"
        ),
        sa.Column(
            "result",
            sa.LargeBinary,
            nullable=True,
            comment="JSON: its line in a file; gone once the batch has ended",
        ),
    )
