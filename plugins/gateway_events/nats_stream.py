"""`sink.nats`: events on a subject of NATS JetStream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.json import encode
from pydantic import Field, field_validator

from gateway.secrets import Secret
from gateway_events.event import MEDIA_TYPE, EventsConfig
from gateway_events.plugin import EventSink, missing, with_scheme
from gateway_events.sending import Away, each

if TYPE_CHECKING:
    from gateway.plugin import Context

_SECONDS: Final = 5


class NatsConfig(EventsConfig):
    """Settings of `sink.nats`."""

    url: Secret = Field(description="The server: `nats://user:password@host:4222`, or `tls://…`.")
    subject: str = Field(
        default="ai.usage",
        pattern=r"^[^\s*>]+$",
        description="The subject. A stream has to listen to it, else nothing is taken.",
    )

    @field_validator("url")
    @classmethod
    def _usable(cls, url: Secret) -> Secret:
        return with_scheme(url, "nats", "tls")


class Nats(EventSink[NatsConfig]):
    """Publishes usage events to a JetStream stream, which drops a message id that it has seen of late."""

    id = "sink.nats"
    Config = NatsConfig

    def __init__(self, name: str, config: NatsConfig, context: Context) -> None:
        super().__init__(name, config, context)
        try:
            import nats  # noqa: PLC0415 - what the extra brings
        except ModuleNotFoundError as error:
            raise missing(error, "nats") from None
        self._nats: Any = nats  # partly untyped
        self._error = ""
        self._connection: Any = None

    async def check(self) -> None:
        """Connect. Raises when that fails."""
        await self._connected()

    async def shutdown(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        stream = (await self._connected()).jetstream(timeout=_SECONDS)

        async def publish(event: Mapping[str, Any]) -> None:
            headers = {"Nats-Msg-Id": event["id"], "content-type": MEDIA_TYPE}
            await stream.publish(self.config.subject, encode(event), headers=headers)

        await each(events, publish, at_once=len(events))

    async def _connected(self) -> Any:
        if self._connection is None or not self._connection.is_connected:
            await self.shutdown()
            try:
                self._connection = await self._nats.connect(
                    self.config.url.reveal(),
                    allow_reconnect=False,  # the gateway sends again what was not taken
                    max_reconnect_attempts=1,
                    reconnect_time_wait=0,
                    connect_timeout=_SECONDS,
                    error_cb=self._note,
                )
            except self._nats.errors.NoServersError:
                raise Away(f"no connection to NATS: {self._error}") from None
        return self._connection

    async def _note(self, error: Exception) -> None:
        self._error = str(error) or type(error).__name__
