"""Invariants of one connection, its packets cut in every way, without a network."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.upstream import ConnectionLost, Limits, MalformedResponse, Response, Timeouts, UpstreamError
from gateway.upstream.connection import Connection

Outcome = tuple[int, list[tuple[bytes, bytes]], bytes, str]


class Wire:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.aborted = False
        self.paused = False

    def is_closing(self) -> bool:
        return self.aborted

    def write(self, data: bytes) -> None: ...

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Owner:
    """A pool of one, that keeps count."""

    def __init__(self) -> None:
        self.released = 0
        self.forgotten = 0

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None: ...

    def release(self, connection: Connection) -> None:
        self.released += 1

    def forget(self, connection: Connection) -> None:
        self.forgotten += 1


class Line:
    """A connection between the two, in the middle of an exchange."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.wire = Wire()
        self.owner = Owner()
        self.connection = Connection(self.owner, "origin:80", limits or Limits())
        self.connection.connection_made(self.wire)  # pyright: ignore[reportArgumentType] - as much as is used
        assert self.connection.adopt()
        self.response: Response = self.connection.begin(b"", Timeouts(), 0.0)

    def receive(self, packets: list[bytes]) -> None:
        for packet in packets:
            if not self.wire.aborted:
                self.connection.data_received(packet)

    def end(self, reason: Exception | None = None) -> None:
        if not self.wire.aborted:
            self.connection.eof_received()
        self.connection.connection_lost(reason)

    def outcome(self) -> Outcome:
        """What the consumer sees. It never waits, because the connection is gone."""

        async def consume() -> tuple[bytes, str]:
            body = b""
            try:
                async for chunk in self.response:
                    assert chunk
                    body += chunk
            except UpstreamError as error:
                return body, type(error).__name__
            return body, ""

        response = self.response
        coroutine = consume()
        try:
            coroutine.send(None)
        except StopIteration as stop:
            body, error = stop.value
            return response.status, response.headers, body, error
        coroutine.close()
        pytest.fail("the consumer would wait for ever")


def run(packets: list[bytes], limits: Limits | None = None) -> tuple[Outcome, Line]:
    line = Line(limits)
    line.receive(packets)
    line.end()
    assert line.owner.forgotten == 1, "the slot in the pool must be freed exactly once"
    return line.outcome(), line


token = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(lambda s: f"x-{s}".encode())
value = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20).map(str.encode)
pieces = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes, str]:
    """A valid answer, its body, and how the body is delimited."""
    status = draw(st.sampled_from([200, 201, 400, 404, 429, 500, 503]))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    parts = draw(pieces)
    head = b"".join(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" for _ in range(draw(st.integers(0, 2))))
    head += b"HTTP/1.1 %d %b\r\n" % (status, draw(st.sampled_from([b"", b"OK", b"Not so good"])))
    for name, content in draw(st.lists(st.tuples(token, value), max_size=4)):
        head += b"%b: %b\r\n" % (name, content)
    body = b"".join(parts)
    if framing == "length":
        return head + b"content-length: %d\r\n\r\n" % len(body) + body, body, framing
    if framing == "close":
        return head + b"\r\n" + body, body, framing
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", body, framing


def cuts(raw: bytes) -> st.SearchStrategy[list[bytes]]:
    """All ways to cut bytes into packets."""

    def cut(places: list[int]) -> list[bytes]:
        ends = [*sorted(set(places)), len(raw)]
        return [part for a, b in zip([0, *ends], ends, strict=False) if (part := raw[a:b])]

    return st.lists(st.integers(1, max(1, len(raw) - 1)), max_size=12).map(cut)


@st.composite
def cut_answers(draw: st.DrawFn) -> tuple[list[bytes], bytes, str]:
    raw, body, framing = draw(answers())
    return draw(cuts(raw)), body, framing


@given(cut_answers())
@settings(deadline=None)
def test_any_split_of_an_answer_gives_the_same_result(answer: tuple[list[bytes], bytes, str]) -> None:
    packets, body, framing = answer
    found, line = run(packets)
    whole, _ = run([b"".join(packets)])
    assert found == whole
    assert found[2:] == (body, "")
    assert (b"link", b"</x>") not in found[1], "an interim answer's header"
    assert line.owner.released == (framing != "close")


@given(answers(), st.data())
@settings(deadline=None)
def test_an_answer_cut_short_never_ends_cleanly(
    answer: tuple[bytes, bytes, str], data: st.DataObject
) -> None:
    raw, body, framing = answer
    short = raw[: data.draw(st.integers(0, len(raw) - 1))]
    (status, _, got, error), line = run(data.draw(cuts(short)))
    assert body.startswith(got)
    assert line.owner.released == 0
    if framing == "close" and status:
        assert error == ""  # nobody can tell
    else:
        assert error == "ConnectionLost"


@given(answers(), st.data())
@settings(deadline=None, max_examples=300)
def test_a_mutated_answer_gives_the_same_result_however_it_is_split(
    answer: tuple[bytes, bytes, str], data: st.DataObject
) -> None:
    raw = bytearray(answer[0])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        change = data.draw(st.sampled_from(["flip", "insert", "delete", "repeat"]))
        if change == "flip":
            raw[place] = data.draw(st.integers(0, 255))
        elif change == "insert":
            raw[place:place] = data.draw(
                st.sampled_from([b"\r\n", b"\n", b"\0", b":", b" ", b"0", b"\r\n\r\n"])
            )
        elif change == "delete" and len(raw) > 1:
            del raw[place]
        else:
            raw[place:place] = raw[place : place + 20]
    whole, _ = run([bytes(raw)])
    found, _ = run(data.draw(cuts(bytes(raw))))
    assert found == whole


@given(st.binary(max_size=200), st.data())
@settings(deadline=None)
def test_noise_is_refused(noise: bytes, data: st.DataObject) -> None:
    (status, _, _, error), _ = run(data.draw(cuts(noise)))
    assert status == 0
    assert error in ("MalformedResponse", "ConnectionLost")


@given(cut_answers(), st.binary(min_size=1, max_size=20))
@settings(deadline=None)
def test_bytes_after_the_end_end_the_connection_and_change_nothing(
    answer: tuple[list[bytes], bytes, str], extra: bytes
) -> None:
    packets, body, framing = answer
    if framing == "close":
        return
    for arrival in ([*packets, extra], [*packets[:-1], packets[-1] + extra]):
        line = Line()
        line.receive(arrival)
        line.end()
        assert line.outcome()[2:] == (body, "")
        assert line.owner.forgotten == 1


async def test_a_reset_is_no_end_even_where_the_close_would_be() -> None:
    line = Line()
    line.receive([b"HTTP/1.1 200 OK\r\n\r\nhalf"])
    line.end(ConnectionResetError())
    assert await anext(line.response) == b"half"
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="in the middle"):
            await anext(line.response)


@pytest.mark.parametrize(
    "framing", [b"2;" + b"x" * 100, b"0\r\nx: " + b"x" * 100], ids=["chunk extension", "trailer"]
)
async def test_framing_without_content_is_bounded(framing: bytes) -> None:
    line = Line(Limits(max_head_bytes=64))
    line.receive([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"2\r\nhi\r\n", framing])
    assert line.wire.aborted
    with pytest.raises(MalformedResponse, match=r"origin:80 sent .* the framing exceeds 64 bytes"):
        await line.response.read()


async def test_a_packet_of_many_chunks_is_one_chunk_to_the_consumer() -> None:
    line = Line()
    line.receive([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 50])
    assert await anext(line.response) == b"a" * 50
    line.response.close()
    assert line.wire.aborted


async def test_the_socket_is_not_read_while_the_consumer_lags() -> None:
    line = Line(Limits(read_ahead_bytes=10))
    line.receive([b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n", b"a" * 10])
    assert not line.wire.paused
    line.receive([b"a"])
    assert line.wire.paused
    line.receive([b"a"])  # what the transport had already read
    assert await anext(line.response) == b"a" * 12
    assert not line.wire.paused
    line.receive([b"a" * 47])
    assert line.wire.paused
    line.receive([b"a"])
    assert line.owner.released == 1
    assert not line.wire.paused, "a connection in the pool must be read"


async def test_reading_whole_ignores_the_read_ahead() -> None:
    line = Line(Limits(read_ahead_bytes=10, max_body_bytes=60))
    line.receive([b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n", b"a" * 20])
    assert line.wire.paused
    reading: asyncio.Future[bytes] = asyncio.ensure_future(line.response.read())
    await asyncio.sleep(0)
    assert not line.wire.paused
    line.receive([b"a" * 20, b"a" * 20])
    assert await reading == b"a" * 60


async def test_two_readers_of_one_response_are_told_apart() -> None:
    line = Line()
    line.receive([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"])
    first: asyncio.Future[Any] = asyncio.ensure_future(line.response.read())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="two tasks"):
        await line.response.read()
    line.receive([b"ok"])
    assert await first == b"ok"


async def test_closing_twice_or_after_the_end_does_nothing_more() -> None:
    line = Line()
    line.receive([b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"])
    line.response.close()
    line.response.close()
    assert line.owner.released == 1
    assert not line.wire.aborted
    with pytest.raises(ConnectionLost, match="closed before it was read"):
        await line.response.read()
    half = Line()
    half.receive([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok"])
    half.response.close()
    half.response.close()
    assert half.owner.forgotten == 1
    with pytest.raises(ConnectionLost, match="closed before it was read"):
        await half.response.read()
