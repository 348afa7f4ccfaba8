"""Streams read as one, and what happens when one of them breaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway import fanout
from gateway.errors import ProviderError
from gateway.types import Answer
from gateway.wire import StreamCut
from gateway.wire.anthropic_messages.codec import AnthropicMessagesCodec
from gateway.wire.canonical import ChatRequest
from gateway.wire.fanned import FannedReader
from gateway.wire.openai_chat.codec import OpenAIChatCodec


class Source:
    """A streamed answer whose chunks are given, and which may break or wait."""

    def __init__(self, *chunks: bytes, breaks: bool = False, waits: bool = False) -> None:
        self._chunks = chunks
        self._breaks = breaks
        self._waits = waits
        self.closed = 0

    def answer(self) -> Answer:
        return Answer(200, [], stream=self._stream(), close=self._close)

    async def _stream(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            await asyncio.sleep(0)
            yield chunk
        if self._waits:
            await asyncio.get_running_loop().create_future()
        if self._breaks:
            raise ProviderError("It broke off.", provider="p")

    def _close(self) -> None:
        self.closed += 1


async def test_all_chunks_come_each_in_its_own_order() -> None:
    sources = [Source(b"a1", b"a2", b"a3"), Source(b"b1"), Source()]
    streams = fanout.Streams([source.answer() for source in sources])
    heard: dict[int, list[bytes]] = {0: [], 1: [], 2: []}
    async for chunk in streams:
        heard[streams.speaking].append(chunk)
    assert heard == {0: [b"a1", b"a2", b"a3"], 1: [b"b1"], 2: []}


async def test_one_that_breaks_breaks_all_and_closing_lets_go() -> None:
    sources = [Source(b"a1", breaks=True), Source(b"b1", waits=True)]
    streams = fanout.Streams([source.answer() for source in sources])
    with pytest.raises(ProviderError, match="broke off"):
        async for _ in streams:
            pass
    streams.close()
    streams.close()
    assert all(source.closed for source in sources)


async def test_a_slow_reader_holds_the_sources_back() -> None:
    source = Source(*[b"x"] * 1000)
    streams = fanout.Streams([source.answer()])
    await anext(streams)
    for _ in range(50):
        await asyncio.sleep(0)
    assert streams._queue.qsize() <= 4
    streams.close()


async def test_a_failure_closes_the_answers_that_came_before_it() -> None:
    source = Source(waits=True)
    sent = 0

    async def send() -> Answer:
        nonlocal sent
        sent += 1
        if sent == 1:
            return source.answer()
        await asyncio.sleep(0)
        raise ProviderError("No.", provider="p")

    with pytest.raises(ProviderError, match="No"):
        await fanout.gather(send, 3)
    assert source.closed == 1


def test_an_answer_that_is_not_whole_is_a_cut() -> None:
    asked = ChatRequest(dialect="openai.chat", model="m", messages=(), stream=True, n=2)
    provider = AnthropicMessagesCodec()
    speaking = 0
    reader = FannedReader(
        [provider.decoder(), provider.decoder()],
        OpenAIChatCodec().encoder(asked),
        prompt=1,
        speaking=lambda: speaking,
    )
    from gateway.testing import anthropic_replies

    shown = b"".join(reader.feed(event) for event in anthropic_replies.message_events("whole", "m"))
    assert b"whole" in shown
    assert b"[DONE]" not in shown
    speaking = 1
    for event in [*anthropic_replies.message_events("half", "m")][:3]:
        reader.feed(event)
    with pytest.raises(StreamCut):
        reader.end()
