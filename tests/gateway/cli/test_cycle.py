"""What answers look like on the socket of `gateway serve`, and when they leave."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.server import ServerState

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

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Connection:
    """The connection, as far as an answer needs it."""

    def __init__(self, wire: Wire) -> None:
        self.transport: Any = wire
        self.flow = Flow(self.transport)
        self.tasks: set[asyncio.Task[None]] = set()
        self.server_state = ServerState()

    def on_response_complete(self) -> None:
        pass


def cycle(wire: Wire, method: str = "POST", *, keep_alive: bool = True) -> Cycle:
    return Cycle(Connection(wire), {"method": method}, keep_alive, False)


def body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def test_a_chunk_is_on_its_way_when_send_returns() -> None:
    wire = Wire()
    answer = cycle(wire)
    assert answer(START) is DONE
    assert wire.written == [], "the head waits for the first piece"
    assert answer(body(b"a" * 17)) is DONE
    assert wire.written[0] == (
        b"HTTP/1.1 200 OK\r\nx-a: 1\r\ntransfer-encoding: chunked\r\n\r\n11\r\n" + b"a" * 17 + b"\r\n"
    )
    await answer(body(b"b"))
    await answer(body(b"", more=False))
    assert wire.written[1:] == [b"1\r\nb\r\n", b"0\r\n\r\n"]
    assert answer.response_complete


async def test_a_piece_goes_out_as_its_message_would() -> None:
    wire = Wire()
    answer = cycle(wire)
    await answer(START)
    assert answer.piece(b"a") is DONE
    assert wire.written[0].endswith(b"\r\n\r\n1\r\na\r\n"), "the head waited for it"
    assert answer.piece(b"b" * 17) is DONE
    assert wire.written[1:] == [b"11\r\n" + b"b" * 17 + b"\r\n"]
    answer.flow.pause_writing()
    waiting = asyncio.ensure_future(answer.piece(b"c"))
    await asyncio.sleep(0)
    assert len(wire.written) == 2
    answer.flow.resume_writing()
    await waiting
    assert wire.written[2:] == [b"1\r\nc\r\n"]
    answer.disconnected = True
    assert answer.piece(b"d") is DONE
    assert len(wire.written) == 3


async def test_a_piece_of_an_answer_of_known_length_counts() -> None:
    wire = Wire()
    answer = cycle(wire)
    await answer({**START, "headers": [(b"content-length", b"2")]})
    await answer.piece(b"ab")
    with pytest.raises(RuntimeError, match="longer"):
        answer.piece(b"c")
    assert wire.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"]


async def test_while_the_client_does_not_read_a_chunk_waits() -> None:
    wire = Wire()
    answer = cycle(wire)
    await answer(START)
    await answer(body(b"a"))
    answer.flow.pause_writing()
    sending = answer(body(b"b"))
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
    await answer(START)
    answer.flow.pause_writing()
    waiting = asyncio.ensure_future(answer(body(b"a")))
    await asyncio.sleep(0)
    answer.disconnected = True
    answer.flow.resume_writing()
    await waiting
    assert answer(body(b"b")) is DONE
    assert wire.written == []


async def test_a_whole_answer_leaves_in_one_write_with_its_length() -> None:
    wire = Wire()
    answer = cycle(wire)
    assert answer.whole(200, [(b"x-a", b"1")], b"abc") is DONE
    assert wire.written == [b"HTTP/1.1 200 OK\r\nx-a: 1\r\ncontent-length: 3\r\n\r\nabc"]
    assert answer.response_complete
    assert not wire.closed
    with pytest.raises(RuntimeError, match="unexpected"):
        answer.whole(200, [], b"")


async def test_a_whole_answer_has_the_headers_that_every_answer_has() -> None:
    wire = Wire()
    connection = Connection(wire)
    connection.server_state.default_headers = [(b"date", b"now")]
    headers = [(b"connection", b"Close")]
    await Cycle(connection, {"method": "POST"}, True, False).whole(413, headers, b"no")
    assert wire.written[0].splitlines()[1:-2] == [b"date: now", b"connection: Close", b"content-length: 2"]
    assert wire.closed
    assert headers == [(b"connection", b"Close")], "it may be kept by whoever made it"


async def test_a_whole_answer_to_a_head_request_says_how_long_it_would_be() -> None:
    wire = Wire()
    await cycle(wire, "HEAD", keep_alive=False).whole(200, [], b"12345")
    assert wire.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"]
    assert wire.closed


@pytest.mark.parametrize("value", [b"1\r\nx-b: 2", b"1\n", b"\r", b"\0"])
async def test_a_whole_answer_holds_no_header_that_http_does_not_allow(value: bytes) -> None:
    wire = Wire()
    with pytest.raises(RuntimeError, match="not allow"):
        cycle(wire).whole(200, [(b"x-a", value)], b"")
    assert wire.written == []


async def test_a_whole_answer_waits_for_a_client_that_does_not_read_and_leaves_one_that_has_gone() -> None:
    wire = Wire()
    answer, gone = cycle(wire), cycle(wire)
    answer.flow.pause_writing()
    waiting = asyncio.ensure_future(answer.whole(200, [], b"a"))
    await asyncio.sleep(0)
    assert wire.written == []
    answer.flow.resume_writing()
    await waiting
    gone.disconnected = True
    assert gone.whole(200, [], b"b") is DONE
    assert wire.written == [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"]


async def test_whoever_receives_waits_for_news_and_hears_of_the_end() -> None:
    request = cycle(Wire())
    receiving = asyncio.ensure_future(request.receive())
    await asyncio.sleep(0)
    request.feed(b"ab")
    assert await receiving == {"type": "http.request", "body": b"ab", "more_body": True}
    request.feed(b"c")
    request.feed(b"d")
    request.more_body = False
    request.stir()
    assert await request.receive() == {"type": "http.request", "body": b"cd", "more_body": False}
    receivers = [asyncio.ensure_future(request.receive()) for _ in range(2)]
    await asyncio.sleep(0)
    assert not any(receiver.done() for receiver in receivers)
    await request.whole(200, [], b"")
    assert await asyncio.gather(*receivers) == [{"type": "http.disconnect"}] * 2


async def test_a_body_that_has_come_need_not_be_waited_for() -> None:
    request = cycle(Wire())
    assert request.arrived() is None, "nothing of it has come"
    request.feed(b"ab")
    assert request.arrived() is None, "there is more to come"
    request.feed(b"c")
    request.more_body = False
    assert request.arrived() == b"abc"
    assert request.arrived() is None, "it is received only once"
    receiving = asyncio.ensure_future(request.receive())
    await asyncio.sleep(0)
    assert not receiving.done()
    request.disconnected = True
    request.stir()
    assert await receiving == {"type": "http.disconnect"}
    assert request.arrived() is None, "nobody is there to be answered"


async def test_a_large_body_is_received_for_reading_to_go_on() -> None:
    request = cycle(Wire())
    request.feed(b"a" * (HIGH_WATER_LIMIT + 1))
    request.more_body = False
    assert request.flow.read_paused
    assert request.arrived() is None
    await request.receive()
    assert not request.flow.read_paused


async def test_a_head_request_gets_no_body() -> None:
    wire = Wire()
    answer = cycle(wire, "HEAD", keep_alive=False)
    await answer({**START, "headers": [(b"content-length", b"5")]})
    await answer(body(b"12345", more=False))
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
        await answer(message)
    with pytest.raises(RuntimeError, match=problem):
        await answer(messages[-1])


async def test_a_signal_lets_all_go_on_who_wait_and_those_who_come_later() -> None:
    signal = Signal()
    waiting = [asyncio.ensure_future(signal.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    assert not waiting[1].done()
    signal.set()
    await asyncio.gather(*waiting[1:])
    await signal.wait()
    assert waiting[0].cancelled()
    signal.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(signal.wait(), 0.01)
