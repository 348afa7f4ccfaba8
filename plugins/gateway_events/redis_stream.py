"""`sink.redis`: events in a Redis stream, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from msgspec.json import encode
from pydantic import Field, field_validator

from gateway.secrets import Secret
from gateway_events.event import EventsConfig
from gateway_events.plugin import EventSink, missing, with_scheme

if TYPE_CHECKING:
    from gateway.plugin import Context

_SECONDS: Final = 10
_REMEMBER: Final = 24 * 3600
_ADD: Final = """
local stream = KEYS[1]
for place = 2, #KEYS do
  if redis.call('SET', KEYS[place], '1', 'NX', 'EX', ARGV[2]) then
    local at = 3 + (place - 2) * 3
    redis.call('XADD', stream, 'MAXLEN', '~', ARGV[1], '*',
      'id', ARGV[at], 'type', ARGV[at + 1], 'event', ARGV[at + 2])
  end
end
"""
"""Adds the events whose key was not there. KEYS: the stream, a key for each event; ARGV: the stream's length, for how
many seconds to remember events; then id, type and JSON of each."""


class RedisConfig(EventsConfig):
    """Settings of `sink.redis`."""

    url: Secret = Field(description="The server: `redis://host:6379/0`, or `rediss://…` for TLS.")
    stream: str = Field(
        default="usage", min_length=1, pattern=r"^[^{}]+$", description="The key of the stream."
    )
    max_length: int = Field(
        default=1_000_000, ge=1, description="About how many events it keeps; older ones are dropped."
    )

    @field_validator("url")
    @classmethod
    def _usable(cls, url: Secret) -> Secret:
        return with_scheme(url, "redis", "rediss")


class Redis(EventSink[RedisConfig]):
    """Adds usage events to a Redis stream. An event that comes again within a day is left out."""

    id = "sink.redis"
    Config = RedisConfig

    def __init__(self, name: str, config: RedisConfig, context: Context) -> None:
        super().__init__(name, config, context)
        try:
            from redis.asyncio import Redis as Connections  # noqa: PLC0415 - what the extra brings
        except ModuleNotFoundError as error:
            raise missing(error, "redis") from None
        self._redis: Any = Connections.from_url(  # pyright: ignore[reportUnknownMemberType] - partly untyped
            config.url.reveal(), socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        )

    async def check(self) -> None:
        """Ask the server for a sign of life. Raises when there is none."""
        await self._redis.ping()

    async def shutdown(self) -> None:
        await self._redis.aclose()

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        stream = self.config.stream
        keys = [f"{{{stream}}}:seen:{event['id']}" for event in events]  # in the stream's slot of a cluster
        values = [value for event in events for value in (event["id"], event["type"], encode(event))]
        await self._redis.eval(_ADD, len(keys) + 1, stream, *keys, self.config.max_length, _REMEMBER, *values)
