"""Stand-ins for the parts of a gateway that a plugin under test has around it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from gateway.errors import ProviderError
from gateway.ids import Ids
from gateway.plugin import Context, Plugin, PluginConfig, hookimpl
from gateway.store import Database
from gateway.testing import replies
from gateway.types import Answer, Attempt, Call, Capability, Dialect, Principal
from gateway.upstream import Client
from gateway.wire import WIRES

FAKE_ANSWER = "Hello from the fake provider."


class FakeProvider:
    """Answers chat completions in process; the name of the model says how.

    `fail` is refused with 429, `cut` breaks off in the middle of its stream, `hang` says nothing at all, and every
    other model answers well.
    """

    dialects: Mapping[Capability, Dialect] = {"chat": "openai.chat"}
    catalogue = "fake"
    models: Sequence[str] = ("good", "fail", "cut", "hang")

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.attempts: list[Attempt] = []
        """Everything it was asked, in order."""
        self.reached = asyncio.Event()
        """Set once it was asked."""
        self.released = 0
        """How many of its answers were closed."""

    async def send(self, attempt: Attempt) -> Answer:
        """Answer, fail or hang, as the model says."""
        self.attempts.append(attempt)
        self.reached.set()
        model = attempt.target.model
        if model == "hang":
            await asyncio.get_running_loop().create_future()
        if model == "fail":
            raise ProviderError(
                "The fake provider is busy.",
                provider=self.name,
                status=429,
                type="requests",
                code="busy",
                headers=[(b"retry-after", b"2")],
            )
        if attempt.call.stream:
            events = list(replies.completion_events(FAKE_ANSWER, model))
            headers = [(b"content-type", b"text/event-stream")]
            return Answer(200, headers, stream=self._stream(model, events), close=self._close)
        body = replies.completion(FAKE_ANSWER, model)
        return Answer(200, [(b"content-type", b"application/json")], body=body)

    async def _stream(self, model: str, events: Sequence[bytes]) -> AsyncIterator[bytes]:
        for number, event in enumerate(events):
            if model == "cut" and number == len(events) // 2:
                raise ProviderError("The fake provider broke off.", provider=self.name, code="upstream_cut")
            yield event

    def _close(self) -> None:
        self.released += 1


class MemorySink:
    """Keeps the records it is given; fails first when told so."""

    def __init__(self, name: str = "memory", *, failures: int = 0) -> None:
        self.name = name
        self.records: list[Mapping[str, Any]] = []
        self.arrived = asyncio.Event()
        """Set once something was delivered."""
        self._failures = failures

    async def deliver(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Keep them, or fail as often as told."""
        if self._failures:
            self._failures -= 1
            raise ConnectionError("the far side is away")
        self.records.extend(records)
        self.arrived.set()


def plugin_with(plugin_id: str, **hooks: Sequence[object]) -> type[Plugin[PluginConfig]]:
    """Make a plugin class whose hooks return the given objects: `plugin_with("sink.memory", register_sinks=[sink])`."""

    class Fake(Plugin[PluginConfig]):
        id: ClassVar[str] = plugin_id

    for hook, objects in hooks.items():
        setattr(Fake, hook, _returning(objects))
    return Fake


def _returning(objects: Sequence[object]) -> Any:
    @hookimpl
    def answer(_self: object) -> Sequence[object]:
        return objects

    return answer


def plugin_context(folder: Path) -> Context:
    """Make a context whose database is a file in `folder`; nothing is opened before it is used."""
    return Context(client=Client(), database=Database(f"sqlite:///{folder / 'gateway.db'}"))


def make_call(
    body: Mapping[str, Any] | None = None,
    *,
    dialect: Dialect = "openai.chat",
    principal: Principal | None = None,
) -> Call:
    """Make the call that a client's request with this JSON body would become; by default a short chat."""
    content = json.dumps(
        body or {"model": "fake/good", "messages": [{"role": "user", "content": "Hello?"}]}
    ).encode()
    wire = WIRES[dialect]
    head = wire.read(content)
    number = Ids()()
    return Call(
        id=f"call_{number}",
        request_id=f"req_{number}",
        client_request_id=None,
        capability=wire.capability,
        dialect=dialect,
        model=head.model,
        stream=head.stream,
        shows_usage=head.shows_usage,
        body=content,
        principal=principal or Principal(tenant="default", authenticator="fake"),
        received_at=time.time(),
    )
