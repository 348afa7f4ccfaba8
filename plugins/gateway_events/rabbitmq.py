"""`sink.rabbitmq`: events as persistent messages, confirmed by the broker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec.json import encode
from pydantic import Field, field_validator

from gateway.secrets import Secret
from gateway_events.event import MEDIA_TYPE, EventsConfig
from gateway_events.plugin import EventSink, missing, with_scheme
from gateway_events.sending import each

if TYPE_CHECKING:
    from gateway.plugin import Context

_SECONDS: Final = 10


class RabbitMQConfig(EventsConfig):
    """Settings of `sink.rabbitmq`."""

    url: Secret = Field(description="The broker: `amqp://user:password@host:5672/vhost`, or `amqps://…`.")
    exchange: str = Field(
        default="", description="The exchange, which must be there; empty for the default one."
    )
    routing_key: str = Field(
        default="ai.usage",
        min_length=1,
        description="The routing key; for the default exchange the name of the queue. A queue has to be bound to it, "
        "else nothing is taken.",
    )

    @field_validator("url")
    @classmethod
    def _usable(cls, url: Secret) -> Secret:
        return with_scheme(url, "amqp", "amqps")


class RabbitMQ(EventSink[RabbitMQConfig]):
    """Publishes usage events to RabbitMQ. Readers tell repeated ones by their message id."""

    id = "sink.rabbitmq"
    Config = RabbitMQConfig

    def __init__(self, name: str, config: RabbitMQConfig, context: Context) -> None:
        super().__init__(name, config, context)
        try:
            import aio_pika  # noqa: PLC0415 - what the extra brings
        except ModuleNotFoundError as error:
            raise missing(error, "rabbitmq") from None
        self._aio_pika = aio_pika
        self._connection: Any = None
        self._exchange: Any = None

    async def check(self) -> None:
        """Connect, and look for the exchange. Raises when that fails."""
        await self._opened()

    async def shutdown(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        exchange = await self._opened()
        key = self.config.routing_key

        async def publish(event: Mapping[str, Any]) -> None:
            await exchange.publish(self._message(event), key, mandatory=True, timeout=_SECONDS)

        await each(events, publish, at_once=len(events))

    def _message(self, event: Mapping[str, Any]) -> Any:
        return self._aio_pika.Message(
            encode(event),
            message_id=event["id"],
            type=event["type"],
            timestamp=datetime.fromisoformat(event["time"]),
            content_type=MEDIA_TYPE,
            delivery_mode=self._aio_pika.DeliveryMode.PERSISTENT,
        )

    async def _opened(self) -> Any:
        if self._connection is None or self._connection.is_closed or self._exchange.channel.is_closed:
            await self.shutdown()
            connection = await self._aio_pika.connect(self.config.url.reveal(), timeout=_SECONDS)
            self._connection = connection
            try:
                channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
                name = self.config.exchange
                self._exchange = await channel.get_exchange(name) if name else channel.default_exchange
            except BaseException:
                await self.shutdown()
                raise
        return self._exchange
