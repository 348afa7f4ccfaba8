"""One line of a batch as a call, and what becomes of it as a line of a file.

https://platform.openai.com/docs/api-reference/batch/request-output
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError, InvalidRequest, Unavailable
from gateway.store import Unit
from gateway.store.batch_runs import Line
from gateway.types import Answer, Call, Principal
from gateway.wire import Wire

_STATELESS: Final = frozenset({"openai.responses"})
"""Dialects whose requests may lean on state that only their own endpoint keeps."""
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class _State(Struct, frozen=True):
    previous_response_id: Any = None
    background: Any = None


_decode_state = msgspec.json.Decoder(_State).decode


def call_of(line: Line, batch: str, wire: Wire, principal: Principal, id: str) -> Call:
    """Make the call of a line. Raises `InvalidRequest` naming the field at fault."""
    head = wire.read(line.request)
    if head.stream:
        raise InvalidRequest("A request in a batch cannot be streamed: leave 'stream' out.", param="stream")
    if wire.name in _STATELESS:
        state = _decode_state(line.request)
        for name in ("previous_response_id", "background"):
            if getattr(state, name):
                raise InvalidRequest(
                    f"'{name}' cannot be used in a batch: send the whole conversation as 'input', and leave it out.",
                    param=name,
                )
    return Call(
        id=f"call_{id}",
        request_id=f"req_{id}",
        client_request_id=f"{batch}/{line.custom_id}"[:200],
        capability=wire.capability,
        dialect=wire.name,
        model=head.model,
        stream=False,
        shows_usage=True,
        body=line.request,
        principal=principal,
        received_at=time.time(),
    )


def answered(line: Line, request_id: str, status: int, body: bytes) -> bytes:
    """Write the line of a file for a request that was answered, well or with an error.

    Raises `ValueError` for a body that is not JSON, which no such line can hold.
    """
    try:
        if not body.isascii():
            body.decode()
        compact = msgspec.json.format(body, indent=-1)  # a line break within it would end the line
    except _UNREADABLE as error:
        raise ValueError(str(error)) from None
    response = {"status_code": status, "request_id": request_id, "body": Raw(compact)}
    return _line(line.custom_id, response, None)


def unanswered(custom_id: str, code: str, message: str) -> bytes:
    """Write the line of a file for a request without an answer."""
    return _line(custom_id, None, {"code": code, "message": message})


def _line(custom_id: str, response: Any, error: Any) -> bytes:
    number = f"batch_req_{os.urandom(16).hex()}"
    return msgspec.json.encode({"id": number, "custom_id": custom_id, "response": response, "error": error})


class LineReply:
    """Takes what a client would be sent, and hands the result on in the same turn in which the call is settled.

    So the journal commits both together. `retry` says after how many seconds an error is worth another call; None says
    never.
    """

    def __init__(
        self,
        line: Line,
        call: Call,
        wire: Wire,
        *,
        retry: Callable[[GatewayError], float | None],
        ended: Callable[[str, bytes], Unit],
        write: Callable[[Unit], asyncio.Future[None]],
    ) -> None:
        self._line = line
        self._call = call
        self._wire = wire
        self._retry = retry
        self._ended = ended
        self._write = write
        self.started = False
        self.unit: Unit = ()
        """What ends the line, once it has ended."""
        self.written: asyncio.Future[None] | None = None
        self.again_after: float | None = None
        """Seconds to wait until the next call, when this one came to nothing."""
        self.was_shut_down = False

    async def whole(self, answer: Answer) -> None:
        """Keep the answer."""
        try:
            result = answered(self._line, self._call.request_id, answer.status, answer.body)
        except ValueError as error:
            told = f"The answer cannot be put into a file of JSON lines: {error}."
            self._keep("failed", unanswered(self._line.custom_id, "answer_not_json", told))
        else:
            self._keep("completed", result)

    async def begin(self, answer: Answer) -> None:
        """Refuse a stream, which nobody has asked for."""
        raise GatewayError(
            f"The answer came as a stream (status {answer.status}), which a batch cannot take."
        )

    async def write(self, data: bytes) -> None:
        """Never called, as no stream begins."""

    async def end(self) -> None:
        """Never called, as no stream begins."""

    async def fail(self, error: GatewayError) -> None:
        """Keep the error, unless the call is to be made again."""
        if error.code == "shutdown":
            self.was_shut_down = True
            return
        self.again_after = self._retry(error)
        if self.again_after is None:
            body = self._wire.error(error)
            self._keep("failed", answered(self._line, self._call.request_id, error.status, body))

    async def gone(self) -> None:
        """Nobody is there who could go."""
        await asyncio.Event().wait()

    def left(self) -> bool:
        """Nobody is there who could go."""
        return False

    def keep_alive(self, seconds: float) -> None:
        """Nobody is there to be told."""

    def _keep(self, state: str, result: bytes) -> None:
        self.unit = self._ended(state, result)
        try:
            self.written = self._write(self.unit)
        except Unavailable:
            self.written = None  # the unit is kept, and written as soon as that can be done
