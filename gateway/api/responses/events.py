"""Response objects on their way to the client: found in whole bodies and in events, and corrected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.wire import sse

TERMINAL: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""The last events of a stream."""

_NONE: Final = Raw(b"")
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode


class _Event(Struct):
    type: str = ""
    sequence_number: int = 0
    response: Raw = _NONE


class _Named(Struct):
    id: str = ""
    status: str = "completed"


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_named = msgspec.json.Decoder(_Named).decode


class Seen(Struct):
    """One event of a stream."""

    type: str
    number: int
    data: bytes
    """All of it, with the empty line at its end."""
    response: bytes | None


def events_in(data: bytes) -> Iterator[Seen]:
    """Read whole events; comments, and what is no event of this API, have no type."""
    for event in data[:-2].split(b"\n\n") if data else ():
        payload = sse.payload(event)
        try:
            found = _decode_event(payload)
        except msgspec.DecodeError:
            found = _Event()
        raw = bytes(found.response)
        response = raw if raw.startswith(b"{") else None
        yield Seen(found.type, found.sequence_number, event + b"\n\n", response)


class Corrections:
    """What a response is to say of the gateway's part in it, which its provider does not know of."""

    def __init__(self, changes: Mapping[str, Any]) -> None:
        self._changes = {name: Raw(_encode(value)) for name, value in changes.items()}

    def __bool__(self) -> bool:
        return bool(self._changes)

    def of(self, response: bytes) -> bytes:
        """Correct a response object."""
        if not self._changes:
            return response
        return _encode({**_decode_fields(response), **self._changes})

    def event(self, seen: Seen) -> Seen:
        """Correct an event, if it holds a response object."""
        if seen.response is None or not self._changes:
            return seen
        response = self.of(seen.response)
        fields = {"type": seen.type, "sequence_number": seen.number, "response": Raw(response)}
        return Seen(seen.type, seen.number, sse.event(_encode(fields), seen.type), response)


def id_and_status(response: bytes) -> tuple[str, str]:
    """Read the id and the status of a response object; no id when it is none."""
    try:
        named = _decode_named(response)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    return named.id, named.status
