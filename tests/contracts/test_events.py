"""The sinks of usage events, those of brokers against real ones."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import uuid
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlalchemy import select

from gateway import Gateway
from gateway.config import environment
from gateway.protocols import Sink
from gateway.store import Database
from gateway.store.migrate import upgrade
from gateway.testing.contracts import SinkContract
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_events.file import File
from gateway_events.lago import Lago
from gateway_events.nats_stream import Nats
from gateway_events.openmeter import OpenMeter
from gateway_events.rabbitmq import RabbitMQ
from gateway_events.redis_stream import Redis
from gateway_events.table import Table
from gateway_events.tables import usage_events
from gateway_events.webhook import Webhook

SECRET = base64.b64encode(b"not-a-real-secret-of-webhooks").decode()


def unreachable(what: str, error: Exception) -> None:
    if "CI" in environment():
        raise error
    pytest.skip(f"no {what} answers on the loopback: {error!r}")


class EventSinkContract(SinkContract):
    """The suite, with a database whose tables are there already: eight times as many starts as with one sink."""

    migrated: ClassVar[Path]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _migrated(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        path = tmp_path_factory.getbasetemp() / "event-sinks.db"
        if not path.exists():
            asyncio.run(_migrate(path))
        cls.migrated = path

    @asynccontextmanager
    async def gateway(self, folder: Path, **more: Any) -> AsyncGenerator[Gateway]:
        if not (folder / "gateway.db").exists():
            shutil.copy(self.migrated, folder / "gateway.db")
        async with super().gateway(folder, **more) as gateway:
            yield gateway


async def _migrate(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    await upgrade(database)
    await database.close()


class TestWebhook(EventSinkContract):
    plugin = Webhook

    def config(self) -> dict[str, object]:
        return {"url": "{upstream}/usage", "secrets": [f"whsec_{SECRET}"]}

    def arrange(self, upstream: FakeUpstream) -> None:
        upstream.reply(Reply(status=204))

    async def arrived(self, sink: Sink, upstream: FakeUpstream) -> Collection[str]:
        return {request.headers["webhook-id"] for request in upstream.requests}


class TestOpenMeter(EventSinkContract):
    plugin = OpenMeter

    def config(self) -> dict[str, object]:
        return {"url": "{upstream}", "token": "not-a-real-token"}

    def arrange(self, upstream: FakeUpstream) -> None:
        upstream.reply(Reply(status=204))

    async def arrived(self, sink: Sink, upstream: FakeUpstream) -> Collection[str]:
        return {event["id"] for request in upstream.requests for event in json.loads(request.body)}


class TestLago(EventSinkContract):
    plugin = Lago

    def config(self) -> dict[str, object]:
        return {"url": "{upstream}", "token": "not-a-real-token"}

    def arrange(self, upstream: FakeUpstream) -> None:
        upstream.reply(Reply())

    async def arrived(self, sink: Sink, upstream: FakeUpstream) -> Collection[str]:
        batches = [json.loads(request.body)["events"] for request in upstream.requests]
        return {event["transaction_id"] for batch in batches for event in batch}


class TestFile(EventSinkContract):
    plugin = File

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.path = tmp_path_factory.mktemp("events") / "events.jsonl"

    def config(self) -> dict[str, object]:
        return {"path": str(self.path) if hasattr(self, "path") else "events.jsonl"}

    async def arrived(self, sink: Sink, upstream: FakeUpstream) -> Collection[str]:
        lines = self.path.read_text("utf-8").splitlines() if self.path.exists() else []
        return sorted({json.loads(line)["id"] for line in lines})


class TestTable(EventSinkContract):
    plugin = Table

    async def arrived(self, sink: Sink, upstream: FakeUpstream) -> Collection[str]:
        assert isinstance(sink, Table)
        async with sink.context.database.connect() as connection:
            rows = await connection.execute(select(usage_events.c.id).order_by(usage_events.c.id))
            return list(rows.scalars())


class TestRedis(EventSinkContract):
    plugin = Redis

    @pytest.fixture(autouse=True)
    def _server(self) -> Any:
        import redis

        connect: Any = redis.Redis.from_url  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - partly untyped
        with connect("redis://127.0.0.1:6379/0") as server:
            try:
                server.ping()
            except redis.ConnectionError as error:
                unreachable("Redis", error)
            self.stream = f"test-{uuid.uuid4().hex}"
            yield
            keys = [self.stream, *server.scan_iter(f"{{{self.stream}}}*")]
            server.delete(*keys)

    def config(self) -> dict[str, object]:
        return {"url": "redis://127.0.0.1:6379/0", "stream": self.stream}

    async def arrived(self, sink: Sink, upstream: FakeUpstream) -> Collection[str]:
        plugin: Any = sink
        entries = await plugin._redis.xrange(self.stream)
        return [json.loads(fields[b"event"])["id"] for _, fields in entries]


class TestNats(EventSinkContract):
    plugin = Nats

    @pytest.fixture(autouse=True)
    def _stream(self) -> Any:
        import nats

        connect: Any = nats.connect  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - partly untyped
        self.subject = f"test-{uuid.uuid4().hex}"

        async def change(*, add: bool) -> None:
            connection = await connect("nats://127.0.0.1:4222", allow_reconnect=False, connect_timeout=30)
            stream = connection.jetstream()
            if add:
                await stream.add_stream(name=self.subject, subjects=[self.subject])
            else:
                await stream.delete_stream(self.subject)
            await connection.close()

        try:
            asyncio.run(change(add=True))
        except Exception as error:  # noqa: BLE001 - of whatever kind, there is no JetStream
            unreachable("NATS JetStream", error)
        yield
        asyncio.run(change(add=False))

    def config(self) -> dict[str, object]:
        return {"url": "nats://127.0.0.1:4222", "subject": self.subject}

    async def arrived(self, sink: Sink, upstream: FakeUpstream) -> Collection[str]:
        plugin: Any = sink
        if plugin._connection is None:
            return []
        stream = plugin._connection.jetstream()
        state = (await stream.stream_info(self.subject)).state
        messages = [await stream.get_msg(self.subject, seq) for seq in range(1, state.messages + 1)]
        return [json.loads(message.data)["id"] for message in messages]


class TestRabbitMQ(EventSinkContract):
    plugin = RabbitMQ

    @pytest.fixture(autouse=True)
    def _queue(self) -> Any:
        import aio_pika

        self.queue = f"test-{uuid.uuid4().hex}"

        async def change(*, add: bool) -> None:
            connection = await aio_pika.connect("amqp://guest:guest@127.0.0.1:5672/", timeout=30)
            channel = await connection.channel()
            if add:
                await channel.declare_queue(self.queue, durable=True)
            else:
                await channel.queue_delete(self.queue)
            await connection.close()

        try:
            asyncio.run(change(add=True))
        except Exception as error:  # noqa: BLE001 - of whatever kind, there is no RabbitMQ
            unreachable("RabbitMQ", error)
        self.seen: dict[str, bool] = {}
        yield
        asyncio.run(change(add=False))

    def config(self) -> dict[str, object]:
        return {"url": "amqp://guest:guest@127.0.0.1:5672/", "routing_key": self.queue}

    async def arrived(self, sink: Sink, upstream: FakeUpstream) -> Collection[str]:
        plugin: Any = sink
        if plugin._connection is not None:
            channel = await plugin._connection.channel()
            queue = await channel.get_queue(self.queue)
            while (message := await queue.get(no_ack=True, fail=False)) is not None:
                self.seen[message.message_id] = True
            await channel.close()
        return list(self.seen)
