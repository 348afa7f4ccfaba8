"""The tables of the gateway's own database. Times are Unix seconds, money is 10⁻⁹ of the price book's currency."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", Float(53), nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("hint", String(16), nullable=False, comment="the first and last characters, for people"),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("digest_scheme", String(20), nullable=False, comment="sha256, or that of an imported key"),
    Column("models", JSON, nullable=True, comment="allow-list; null allows all"),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=True),
    Column("revoked_at", Float(53), nullable=True),
    Column("revision", BigInteger, nullable=False, index=True, comment="of the last change; see revisions"),
)

revisions = Table(
    "revisions",
    metadata,
    Column("name", String(40), primary_key=True, comment="what changed: api_keys"),
    Column("value", BigInteger, nullable=False, comment="counts up with every change"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("host", String(200), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_start", String(40), nullable=False, comment="tells a reused pid from the old process"),
    Column("started_at", Float(53), nullable=False),
    Column("heartbeat_at", Float(53), nullable=False),
    comment="the lease of each running worker on its open calls",
)

model_calls = Table(
    "model_calls",
    metadata,
    Column("id", String(40), primary_key=True, comment="time-ordered"),
    Column("request_id", String(60), nullable=False),
    Column("client_request_id", String(200), nullable=True),
    Column("tenant", String(64), nullable=False),
    Column("user", String(200), nullable=True),
    Column("key", String(40), nullable=True),
    Column("key_name", String(200), nullable=True),
    Column("capability", String(20), nullable=False),
    Column("dialect", String(40), nullable=False),
    Column("model", String(200), nullable=False, comment="as the client wrote it"),
    Column("stream", Boolean, nullable=False),
    Column("worker", String(40), nullable=False),
    Column("received_at", Float(53), nullable=False),
    Column("status", String(12), nullable=False),
    Column("provider", String(100), nullable=True),
    Column("upstream_model", String(200), nullable=True),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("http_status", SmallInteger, nullable=False, server_default=text("0")),
    Column("first_byte_at", Float(53), nullable=True),
    Column("ended_at", Float(53), nullable=True),
    Column("prompt_tokens", Integer, nullable=True),
    Column("completion_tokens", Integer, nullable=True),
    Column("cached_read_tokens", Integer, nullable=True),
    Column("cached_write_tokens", Integer, nullable=True),
    Column("reasoning_tokens", Integer, nullable=True),
    Column("estimated", Boolean, nullable=False, server_default=text("false")),
    Column("price_version", String(40), nullable=True),
    Column("cost", BigInteger, nullable=True),
    Column("error_code", String(60), nullable=True),
    Column("error_message", Text, nullable=True),
    Index(
        "model_calls_client_request",
        "client_request_id",
        sqlite_where=text("client_request_id IS NOT NULL"),
        postgresql_where=text("client_request_id IS NOT NULL"),
    ),
    Index(
        "model_calls_open",
        "worker",
        sqlite_where=text("status = 'processing'"),
        postgresql_where=text("status = 'processing'"),
    ),
    sqlite_with_rowid=False,
)

usage_buckets = Table(
    "usage_buckets",
    metadata,
    Column("start", BigInteger, primary_key=True, comment="Unix seconds, a multiple of 900"),
    Column("tenant", String(64), primary_key=True),
    Column("key", String(40), primary_key=True, comment="'' when the call had none"),
    Column("model", String(200), primary_key=True),
    Column("provider", String(100), primary_key=True, comment="'' when no provider was reached"),
    Column("calls", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False, comment="failed and cancelled ones among them"),
    Column("prompt_tokens", BigInteger, nullable=False),
    Column("completion_tokens", BigInteger, nullable=False),
    Column("cached_read_tokens", BigInteger, nullable=False),
    Column("cached_write_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("sink", String(100), nullable=False),
    Column("call", String(40), nullable=False),
    Index("outbox_sink", "sink", "position"),
    comment="settled calls that a sink has not yet taken; deleted once it has",
)

sink_leases = Table(
    "sink_leases",
    metadata,
    Column("sink", String(100), primary_key=True),
    Column("worker", String(40), nullable=False, comment="who delivers to the sink at present"),
    Column("leased_until", Float(53), nullable=False),
)
