from __future__ import annotations

import asyncio

from gateway.bench import payload

WHOLE = payload.request(payload.chat("m"))
STREAM = payload.request(payload.chat("m", stream=True))
STREAMED = payload.stream_head() + b"".join(payload.stream_frames())


async def exchange(port: int, *parts: bytes, expect: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)
    got = await reader.readexactly(len(expect))
    writer.close()
    await writer.wait_closed()
    return got


async def test_answers_a_request(upstream_port: int):
    assert await exchange(upstream_port, WHOLE, expect=payload.answer()) == payload.answer()


async def test_answers_a_stream(upstream_port: int):
    assert await exchange(upstream_port, STREAM, expect=STREAMED) == STREAMED


async def test_reads_requests_cut_anywhere(upstream_port: int):
    for cut in (1, 20, WHOLE.index(b"\r\n\r\n") + 2, len(WHOLE) - 1):
        assert (
            await exchange(upstream_port, WHOLE[:cut], WHOLE[cut:], expect=payload.answer())
            == payload.answer()
        )


async def test_answers_several_requests_of_one_packet(upstream_port: int):
    expect = payload.answer() * 2
    assert await exchange(upstream_port, WHOLE * 2, expect=expect) == expect


async def test_reads_a_chunked_request(upstream_port: int):
    body = payload.chat("m")
    head = b"POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    got = await exchange(upstream_port, head, chunks[:100], chunks[100:], WHOLE, expect=payload.answer() * 2)
    assert got == payload.answer() * 2


async def test_a_client_that_leaves_does_not_stop_other_streams(upstream_port: int):
    _, leaving = await asyncio.open_connection("127.0.0.1", upstream_port)
    leaving.write(STREAM)
    await leaving.drain()
    leaving.transport.abort()
    assert await exchange(upstream_port, STREAM, expect=STREAMED) == STREAMED
