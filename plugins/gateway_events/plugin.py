"""What the sinks of usage events have in common: each is a plugin that is its own sink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from gateway.errors import ConfigError
from gateway.plugin import Plugin, hookimpl
from gateway_events.event import EventsConfig, notice_event, usage_event

if TYPE_CHECKING:
    from gateway.protocols import Sink
    from gateway.secrets import Secret

ConfigT = TypeVar("ConfigT", bound=EventsConfig)


class EventSink(Plugin[ConfigT]):
    """A sink of usage events."""

    @hookimpl
    def register_sinks(self) -> Sequence[Sink]:
        return (self,)

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Send an event for each record. Raises as `gateway.protocols.Sink` says."""
        if records:
            await self.send([usage_event(record, self.config.source) for record in records])

    async def deliver_notices(self, notices: Sequence[Mapping[str, Any]]) -> None:
        """Send an event for each notice. Raises as `deliver` does."""
        if notices:
            await self.send_notices([notice_event(each, self.config.source) for each in notices])

    async def send_notices(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Send events that tell of no call. Raises as `deliver` does."""
        await self.send(events)

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Send at least one event. Raises as `deliver` does."""
        raise NotImplementedError


def with_scheme(url: Secret, *schemes: str) -> Secret:
    """The URL, whose scheme is one of these. Raises ValueError, which does not repeat it."""
    if urlsplit(url.reveal()).scheme not in schemes:
        raise ValueError(f"the URL begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return url


def missing(error: ModuleNotFoundError, extra: str) -> ConfigError:
    """The error that says what to install."""
    return ConfigError([f"it needs the package '{error.name}': pip install 'asgi-gateway[{extra}]'"])
