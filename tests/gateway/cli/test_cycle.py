"""What answers look like on the socket of `gateway serve`, and when they leave."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.cli.cycle import Cycle
from gateway.cli.flow import Flow, Signal
from gateway.push import DONE

START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"1")]}


class Wire:
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True


def cycle(wire: Wire, method: str = "POST", *, keep_alive: bool = True) -> Cycle:
    log = logging.getLogger("uvicorn.error")
    made: Any = RequestResponseCycle(
        scope={"method": method},  # pyright: ignore[reportArgumentType] - as much as is used
        transport=wire,  # pyright: ignore[reportArgumentType]
        flow=Flow(wire),  # pyright: ignore[reportArgumentType]
        logger=log,
        access_logger=log,
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )
    made.__class__ = Cycle
    return made


def body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_a_chunk_is_on_its_way_when_send_returns() -> None:
    wire = Wire()
    answer = cycle(wire)
    assert answer.send(START) is DONE
    assert wire.written == [], "the head waits for the first piece"
    assert answer.send(body(b"a" * 17)) is DONE
    assert wire.written[0] == (
        b"HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n11\r\n" + b"a" * 17 + b"\r\n"
    )
    await answer.send(body(b"b"))
    await answer.send(body(b"", more=False))
    assert wire.written[1:] == [b"1\r\nb\r\n", b"0\r\n\r\n"]
    assert answer.response_complete


async def test_while_the_client_does_not_read_a_chunk_waits() -> None:
    wire = Wire()
    answer = cycle(wire)
    await answer.send(START)
    await answer.send(body(b"a"))
    answer.flow.pause_writing()
    sending = answer.send(body(b"b"))
    assert sending is not DONE
    assert len(wire.written) == 1
    waiting = asyncio.ensure_future(sending)
    await asyncio.sleep(0)
    assert len(wire.written) == 1
    answer.flow.resume_writing()
    await waiting
    assert wire.written[1:] == [b"1\r\nb\r\n"]


async def test_nothing_is_written_to_a_client_that_has_gone() -> None:
    wire = Wire()
    answer = cycle(wire)
    await answer.send(START)
    answer.flow.pause_writing()
    waiting = asyncio.ensure_future(answer.send(body(b"a")))
    await asyncio.sleep(0)
    answer.disconnected = True
    answer.flow.resume_writing()
    await waiting
    assert answer.send(body(b"b")) is DONE
    assert wire.written == []


async def test_a_head_request_gets_no_body() -> None:
    wire = Wire()
    answer = cycle(wire, "HEAD", keep_alive=False)
    await answer.send({**START, "headers": [(b"content-length", b"5")]})
    await answer.send(body(b"12345", more=False))
    assert wire.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"]
    assert wire.closed


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([body(b"a")], "unexpected"),
        ([START, START], "unexpected"),
        ([START, body(b"", more=False), body(b"late")], "unexpected"),
        ([{**START, "headers": [(b"content-length", b"1")]}, body(b"ab")], "longer"),
        ([{**START, "headers": [(b"content-length", b"3")]}, body(b"ab", more=False)], "shorter"),
        ([{**START, "headers": [(b"x-a", b"1\r\nx-b: 2")]}], "not allow"),
    ],
)
async def test_what_is_no_answer_is_refused(messages: list[dict[str, Any]], problem: str) -> None:
    answer = cycle(Wire())
    for message in messages[:-1]:
        await answer.send(message)
    with pytest.raises(RuntimeError, match=problem):
        await answer.send(messages[-1])


async def test_a_signal_lets_all_go_on_who_wait_and_those_who_come_later() -> None:
    signal = Signal()
    waiting = [asyncio.ensure_future(signal.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert not signal.is_set()
    signal.set()
    await asyncio.gather(*waiting[1:])
    await signal.wait()
    assert waiting[0].cancelled()
    signal.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(signal.wait(), 0.01)
