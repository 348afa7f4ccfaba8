"""The tables of what clients have stored, and of work that outlasts its call. Times are Unix seconds."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
)

from gateway.store.tables import metadata

responses = Table(
    "responses",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("key", String(40), nullable=True),
    Column("model", String(200), nullable=False, comment="as the client wrote it"),
    Column("status", String(12), nullable=False),
    Column("previous", String(200), nullable=True, comment="the response that it continues"),
    Column("call", String(40), nullable=False, comment="its row in model_calls"),
    Column("background", Boolean, nullable=False),
    Column("stream", Boolean, nullable=False, comment="whether its events are kept"),
    Column("worker", String(40), nullable=True, comment="who runs it, until it has ended"),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False, index=True),
    Column("input", LargeBinary, nullable=False, comment="JSON: its own items"),
    Column("response", LargeBinary, nullable=False, comment="JSON: the response object"),
    Index(
        "responses_running",
        "worker",
        info={"where": "worker IS NOT NULL"},
    ),
)

response_events = Table(
    "response_events",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("response", String(200), primary_key=True),
    Column(
        "position",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="counts the pieces of the stream",
    ),
    Column("data", LargeBinary, nullable=False, comment="server-sent events, whole"),
    comment="what a response in the background has streamed so far",
)

files = Table(
    "files",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("key", String(40), nullable=True),
    Column("name", String(500), nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column(
        "whole", Boolean, nullable=False, comment="whether all of its content is there; else nobody sees it"
    ),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=True, index=True),
)

file_chunks = Table(
    "file_chunks",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("file", String(64), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False, comment="counts the chunks"),
    Column("data", LargeBinary, nullable=False),
    comment="the content of files, cut so that it is never held whole",
)

batches = Table(
    "batches",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("principal", LargeBinary, nullable=False, comment="JSON: for whom its calls are made"),
    Column("endpoint", String(100), nullable=False),
    Column("input_file", String(64), nullable=False),
    Column("metadata", LargeBinary, nullable=True, comment="JSON, as the client gave it"),
    Column(
        "output_seconds", Float(53), nullable=True, comment="how long its files are kept, if not as usual"
    ),
    Column("status", String(12), nullable=False),
    Column(
        "ends_as", String(12), nullable=True, comment="the status that is to come once its files are written"
    ),
    Column("worker", String(40), nullable=True, comment="who runs it, until it has ended"),
    Column("model", String(200), nullable=True, comment="if all its lines ask the same one"),
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False),
    Column("in_progress_at", Float(53), nullable=True),
    Column("finalizing_at", Float(53), nullable=True),
    Column("cancelling_at", Float(53), nullable=True),
    Column("ended_at", Float(53), nullable=True),
    Column("output_file", String(64), nullable=True),
    Column("error_file", String(64), nullable=True),
    Column("errors", LargeBinary, nullable=True, comment="JSON: what was wrong with the input file"),
    Column("usage", LargeBinary, nullable=True, comment="JSON: the sum over its calls"),
    Index(
        "batches_running",
        "status",
        info={"where": "ended_at IS NULL"},
    ),
)

batch_lines = Table(
    "batch_lines",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("batch", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False, comment="of the line, from 1"),
    Column("custom_id", Text, nullable=False),
    Column("state", String(12), nullable=False, comment="waiting, running, completed or failed"),
    Column("tries", SmallInteger, nullable=False, comment="how often its process died while it ran"),
    Column("call", String(40), nullable=True, comment="its latest row in model_calls"),
    Column("request", LargeBinary, nullable=True, comment="JSON: the body; gone once the batch has ended"),
    Column(
        "result",
        LargeBinary,
        nullable=True,
        comment="JSON: its line in a file; gone once the batch has ended",
    ),
)

jobs = Table(
    "jobs",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("key", String(40), nullable=True),
    Column("kind", String(20), nullable=False),
    Column("model", String(200), nullable=False, comment="as the client wrote it"),
    Column("provider", String(100), nullable=False),
    Column("upstream_id", String(500), nullable=False),
    Column("upstream_model", String(200), nullable=False),
    Column("credential", String(16), nullable=False, comment="the mark of the one that started it"),
    Column("call", String(40), nullable=False, comment="its row in model_calls"),
    Column("created_at", Float(53), nullable=False),
    Column("expires_at", Float(53), nullable=False, index=True),
    Column("shown", LargeBinary, nullable=False, comment="JSON: as the client saw it last"),
    comment="work that providers have taken on and that outlasts its call",
)
