"""All fake providers behind one address: the first part of the path says which one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import Any, Protocol

from ...e2e.support.upstream import Exchange
from . import anthropic, azure, bedrock, cohere, gemini, ollama, openai, responses
from .model import Asked, Refused, Said, answer

SIZES = (1, 37, 2, 190, 5, 71)
"""Lengths of the packets of a stream, in bytes: characters, lines and events are cut."""


class Fake(Protocol):
    """One provider's dialect: a module of this package."""

    @property
    def STREAM(self) -> str:  # noqa: N802 - a module has it
        """Content type of its streams."""
        ...

    def read(self, path: str, headers: Mapping[str, str], body: Any) -> Asked:
        """Check a request as the provider does. Raises `Refused`."""
        ...

    def whole(self, said: Said, path: str) -> dict[str, Any]:
        """Write a whole answer."""
        ...

    def events(self, said: Said, path: str) -> Sequence[bytes]:
        """Write the events of a stream, the end included."""
        ...

    def error(self, refused: Refused) -> dict[str, Any]:
        """Write an error."""
        ...


FAKES: Mapping[str, Fake] = {
    "anthropic": anthropic,
    "azure": azure,
    "bedrock": bedrock,
    "cohere": cohere,
    "gemini": gemini,
    "ollama": ollama,
    "openai": openai,
}


def find(provider: str, path: str) -> Fake:
    """Tell which dialect is spoken under a path."""
    return responses if path.endswith("/responses") else FAKES[provider]


async def serve(exchange: Exchange) -> None:
    """Answer one request."""
    _, provider, *rest = exchange.path.split("/")
    path = "/" + "/".join(rest)
    fake = find(provider, path)
    try:
        try:
            body = json.loads(exchange.body)
        except ValueError:
            raise Refused("the body is not JSON") from None
        asked = fake.read(path, exchange.headers, body)
        said = answer(asked)
    except Refused as refused:
        more = ["retry-after: 7"] if refused.status == 429 else []
        await exchange.answer(fake.error(refused), status=refused.status, headers=more)
        return
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        refused = Refused(f"the request has not the shape that it must have: {error!r}")
        await exchange.answer(fake.error(refused), status=400)
        return
    if not asked.stream:
        await exchange.answer(fake.whole(said, path))
        return
    await exchange.begin(type=fake.STREAM)
    events = fake.events(said, path)
    data = b"".join(events[: len(events) // 2] if said.cut else events)
    for packet in _packets(data):
        await exchange.chunk(packet)
    if said.cut:
        exchange.writer.close()
    else:
        await exchange.send(b"0\r\n\r\n")


def _packets(data: bytes) -> Sequence[bytes]:
    packets: list[bytes] = []
    for size in cycle(SIZES):
        if not data:
            return packets
        packets.append(data[:size])
        data = data[size:]
    raise AssertionError
