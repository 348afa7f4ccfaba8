"""Tenants, API keys, workers, the ledger, usage and the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = ("gateway",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("tenant", sa.String(64), nullable=False, index=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("hint", sa.String(16), nullable=False, comment="the first and last characters, for people"),
        sa.Column("digest", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column(
            "digest_scheme", sa.String(20), nullable=False, comment="sha256, or that of an imported key"
        ),
        sa.Column("models", sa.JSON, nullable=True, comment="allow-list; null allows all"),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=True),
        sa.Column("revoked_at", sa.Float(53), nullable=True),
        sa.Column(
            "revision", sa.BigInteger, nullable=False, index=True, comment="of the last change; see revisions"
        ),
    )
    op.create_table(
        "revisions",
        sa.Column("name", sa.String(40), primary_key=True, comment="what changed: api_keys"),
        sa.Column("value", sa.BigInteger, nullable=False, comment="counts up with every change"),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("host", sa.String(200), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column(
            "process_start", sa.String(40), nullable=False, comment="tells a reused pid from the old process"
        ),
        sa.Column("started_at", sa.Float(53), nullable=False),
        sa.Column("heartbeat_at", sa.Float(53), nullable=False),
        comment="the lease of each running worker on its open calls",
    )
    _create_calls()
    op.create_table(
        "usage_buckets",
        sa.Column(
            "start",
            sa.BigInteger,
            primary_key=True,
            autoincrement=False,
            comment="Unix seconds, a multiple of 900",
        ),
        sa.Column("tenant", sa.String(64), primary_key=True),
        sa.Column("key", sa.String(40), primary_key=True, comment="'' when the call had none"),
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("provider", sa.String(100), primary_key=True, comment="'' when no provider was reached"),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("failed", sa.BigInteger, nullable=False, comment="failed and cancelled ones among them"),
        sa.Column("prompt_tokens", sa.BigInteger, nullable=False),
        sa.Column("completion_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_read_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_write_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "outbox",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        sa.Column("sink", sa.String(100), nullable=False),
        sa.Column("call", sa.String(40), nullable=False),
        sa.Index("outbox_sink", "sink", "position"),
        comment="settled calls that a sink has not yet taken; deleted once it has",
    )
    op.create_table(
        "sink_leases",
        sa.Column("sink", sa.String(100), primary_key=True),
        sa.Column("worker", sa.String(40), nullable=False, comment="who delivers to the sink at present"),
        sa.Column("leased_until", sa.Float(53), nullable=False),
    )


def _create_calls() -> None:
    processing = sa.text("status = 'processing'")
    named = sa.text("client_request_id IS NOT NULL")
    op.create_table(
        "model_calls",
        sa.Column("id", sa.String(40), primary_key=True, comment="time-ordered"),
        sa.Column("request_id", sa.String(60), nullable=False),
        sa.Column("client_request_id", sa.String(200), nullable=True),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("user", sa.String(200), nullable=True),
        sa.Column("key", sa.String(40), nullable=True),
        sa.Column("key_name", sa.String(200), nullable=True),
        sa.Column("capability", sa.String(20), nullable=False),
        sa.Column("dialect", sa.String(40), nullable=False),
        sa.Column("model", sa.String(200), nullable=False, comment="as the client wrote it"),
        sa.Column("stream", sa.Boolean, nullable=False),
        sa.Column("worker", sa.String(40), nullable=False),
        sa.Column("received_at", sa.Float(53), nullable=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("provider", sa.String(100), nullable=True),
        sa.Column("upstream_model", sa.String(200), nullable=True),
        sa.Column("attempts", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("http_status", sa.SmallInteger, nullable=False, server_default=sa.text("0")),
        sa.Column("first_byte_at", sa.Float(53), nullable=True),
        sa.Column("ended_at", sa.Float(53), nullable=True),
        sa.Column("prompt_tokens", sa.Integer, nullable=True),
        sa.Column("completion_tokens", sa.Integer, nullable=True),
        sa.Column("cached_read_tokens", sa.Integer, nullable=True),
        sa.Column("cached_write_tokens", sa.Integer, nullable=True),
        sa.Column("reasoning_tokens", sa.Integer, nullable=True),
        sa.Column("estimated", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.Column("price_version", sa.String(40), nullable=True),
        sa.Column("cost", sa.BigInteger, nullable=True),
        sa.Column("error_code", sa.String(60), nullable=True),
        sa.Column("error_message", sa.Text, nullable=True),
        sa.Index(
            "model_calls_client_request", "client_request_id", sqlite_where=named, postgresql_where=named
        ),
        sa.Index("model_calls_open", "worker", sqlite_where=processing, postgresql_where=processing),
        sqlite_with_rowid=False,
    )
