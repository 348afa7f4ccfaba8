"""The tables of tenants, keys and calls; the others are beside. Times are Unix seconds, money is 10⁻⁹ of the price book's currency."""

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
# Which rows a partial index holds stands in `info`: the revisions tell the databases, and to tell SQLAlchemy in the words
# of one database is to import that one's dialect.

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("updated_at", Float(53), nullable=True),
    Column("suspended_at", Float(53), nullable=True, comment="its calls are refused from then on"),
    Column("erased_at", Float(53), nullable=True, comment="its personal data is gone from then on"),
    Column("models", JSON, nullable=True, comment="allow-list; null allows all"),
    Column("providers", JSON, nullable=True, comment="allow-list; null allows all"),
    Column("limits", JSON, nullable=True, comment="by the names of CallLimits"),
    Column(
        "retention_days",
        Integer,
        nullable=True,
        comment="how long calls keep what is personal; null: for good",
    ),
    Column("swept_until", Float(53), nullable=True, comment="calls before it keep nothing personal any more"),
    Column("revision", BigInteger, nullable=False, server_default=text("0"), comment="of the last change"),
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
    Column("owner", String(40), nullable=True, comment="the user or service account that it belongs to"),
    Column("scopes", JSON, nullable=True, comment="permissions; null: to make calls, and no more"),
    Column("models", JSON, nullable=True, comment="allow-list; null allows all"),
    Column("endpoints", JSON, nullable=True, comment="allow-list of paths; null allows all"),
    Column("networks", JSON, nullable=True, comment="allow-list of addresses and networks; null allows all"),
    Column("limits", JSON, nullable=True, comment="by the names of CallLimits"),
    Column("budget", JSON, nullable=True, comment="what it may spend: amount, currency, period"),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=True),
    Column("revoked_at", Float(53), nullable=True),
    Column("last_used_at", Float(53), nullable=True),
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
    Column("units", Text, nullable=True, comment="JSON: usage that is not text, by the names of Usage"),
    Column("estimated", Boolean, nullable=False, server_default=text("false")),
    Column("price_version", String(40), nullable=True),
    Column("cost", BigInteger, nullable=True),
    Column("charge", BigInteger, nullable=True, comment="what the caller is asked, in 10⁻⁹ credit"),
    Column("selling", String(60), nullable=True, comment="how cost became charge; null: they are the same"),
    Column("error_code", String(60), nullable=True),
    Column("error_message", Text, nullable=True),
    Column(
        "authenticator",
        String(100),
        nullable=True,
        comment="who recognised the caller; null where that was not written down",
    ),
    Index(
        "model_calls_client_request",
        "client_request_id",
        info={"where": "client_request_id IS NOT NULL"},
    ),
    Index(
        "model_calls_open",
        "worker",
        info={"where": "status = 'processing'"},
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
    Column("charge", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)

outbox = Table(
    "outbox",
    metadata,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("sink", String(100), nullable=False),
    Column("call", String(40), nullable=False),
    Column(
        "attempts",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="how often the sink failed to take this very call",
    ),
    Column("due_at", Float(53), nullable=False, server_default=text("0"), comment="not to be tried before"),
    Index("outbox_sink", "sink", "position"),
    comment="settled calls that a sink has not yet taken; deleted once it has",
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("sink", String(100), primary_key=True),
    Column("call", String(40), primary_key=True),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False, comment="why the sink did not take it, the last time"),
    Column("died_at", Float(53), nullable=False),
    comment="settled calls that a sink will not take; `gateway events replay --dead` sends them again",
)

sink_states = Table(
    "sink_states",
    metadata,
    Column("sink", String(100), primary_key=True),
    Column("delivered", BigInteger, nullable=False, comment="how many calls it has taken"),
    Column("delivered_at", Float(53), nullable=True),
    Column("failed_at", Float(53), nullable=True),
    Column("error", Text, nullable=True, comment="its last one"),
    comment="how delivering to a sink goes",
)

sink_leases = Table(
    "sink_leases",
    metadata,
    Column("sink", String(100), primary_key=True),
    Column("worker", String(40), nullable=False, comment="who delivers to the sink at present"),
    Column("leased_until", Float(53), nullable=False),
)

selling_prices = Table(
    "selling_prices",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("tenant", String(64), nullable=True),
    Column("plan", String(64), nullable=True, comment="without tenant and plan it holds for everybody"),
    Column("provider", String(100), nullable=False, comment="as in the price book, or *"),
    Column("model", String(200), nullable=False, comment="as its provider calls it, or *"),
    Column(
        "margin_percent", String(30), nullable=True, comment="a decimal number; null where rates are given"
    ),
    Column("rates", JSON, nullable=True, comment="in credits, as in a price file, numbers as text"),
    Column("valid_from", Float(53), nullable=False),
    Column("valid_until", Float(53), nullable=True),
    Column("note", String(200), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, comment="of the last change; see revisions"),
    comment="what is asked in place of cost and the usual margin",
)

price_adjustments = Table(
    "price_adjustments",
    metadata,
    Column("call", String(40), primary_key=True, comment="its row in model_calls, which stays as it is"),
    Column("number", Integer, primary_key=True, comment="1 for the first of the call"),
    Column("tenant", String(64), nullable=False, index=True),
    Column("key", String(40), nullable=True),
    Column("model", String(200), nullable=False, comment="as the client wrote it"),
    Column("received_at", Float(53), nullable=False, comment="of the call"),
    Column("cost", BigInteger, nullable=False, comment="to be added; may be negative"),
    Column("charge", BigInteger, nullable=False, comment="to be added, in 10⁻⁹ credit; may be negative"),
    Column("price_version", String(40), nullable=True, comment="of the price that holds now"),
    Column("selling", String(60), nullable=True, comment="as in model_calls, of what holds now"),
    Column("reason", String(200), nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("revision", BigInteger, nullable=False, index=True, comment="of the repricing; see revisions"),
    comment="what calls cost more or less than was written when they ended",
)
