"""The way back: what ASGI messages an answer, a stream and a failure become."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.api.reply import HttpReply
from gateway.api.sending import Numbered
from gateway.errors import ClientGone, ProviderError, RateLimited
from gateway.push import DONE, Later
from gateway.types import Answer
from gateway.wire import WIRES

Message = dict[str, Any]


class Wire:
    """The server's side of an ASGI connection."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.may_send = asyncio.Event()
        self.may_send.set()
        self.reply = HttpReply(WIRES["openai.chat"], self.incoming.get, self.send)

    async def send(self, message: Any) -> None:
        await self.may_send.wait()
        self.sent.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.sent)

    @property
    def ended(self) -> bool:
        return self.sent[-1]["type"] == "http.response.body" and not self.sent[-1].get("more_body", False)


@pytest.fixture
def wire() -> Wire:
    return Wire()


def stream() -> Answer:
    return Answer(200, [(b"content-type", b"text/event-stream"), (b"x-extra", b"1")])


async def test_a_whole_answer(wire: Wire) -> None:
    await wire.reply.whole(Answer(200, [(b"content-type", b"application/json")], body=b"{}"))
    start = wire.sent[0]
    assert start["status"] == 200
    assert dict(start["headers"]) == {b"content-type": b"application/json", b"content-length": b"2"}
    assert wire.body == b"{}"
    assert wire.ended


async def test_a_whole_answer_goes_to_the_server_as_one_where_it_takes_it_so() -> None:
    class Server(Wire):
        taken: tuple[object, ...] = ()

        def whole(self, *answer: object) -> Any:
            self.taken = answer
            return DONE

    class Send:
        def __init__(self, server: Server) -> None:
            self.whole = server.whole

        async def __call__(self, message: Any) -> None:
            raise AssertionError("no message is needed")

    server, scope = Server(), dict[str, Any]()
    headers = [(b"content-type", b"application/json")]
    reply = HttpReply(WIRES["openai.chat"], server.incoming.get, Numbered(Send(server), scope, "req_1"))
    assert reply.whole(Answer(200, headers, body=b"{}")) is DONE
    assert server.taken == (200, [*headers, (b"x-request-id", b"req_1")], b"{}")
    assert scope == {"gateway.answering": True}
    assert len(headers) == 1, "an answer may be kept, and given again under another id"


def test_what_wraps_send_shows_nothing_of_the_request() -> None:
    async def send(_: Any) -> None:
        raise AssertionError

    scope = {"type": "http", "headers": [(b"authorization", b"Bearer sk-not-a-real-key")]}
    assert repr(Numbered(send, scope, "req_1")) == "<Numbered>"


async def test_a_whole_answer_to_a_client_that_has_gone() -> None:
    async def send(_: Any) -> None:
        raise OSError

    reply = HttpReply(WIRES["openai.chat"], asyncio.Queue[Message]().get, send)
    await reply.whole(Answer(200, [], body=b"{}"))


async def test_a_stream_is_sent_event_by_event_and_not_buffered(wire: Wire) -> None:
    await wire.reply.begin(stream())
    await wire.reply.write(b"data: 1\n\n")
    await wire.reply.write(b"data: 2\n\n")
    await wire.reply.end()
    headers = dict(wire.sent[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert headers[b"x-accel-buffering"] == b"no"
    assert headers[b"x-extra"] == b"1"
    assert b"content-length" not in headers
    assert [m["body"] for m in wire.sent[1:]] == [b"data: 1\n\n", b"data: 2\n\n", b""]
    assert wire.ended


async def test_an_error_before_the_start_has_its_status_and_headers(wire: Wire) -> None:
    await wire.reply.fail(RateLimited("Slow down.", headers=[(b"retry-after", b"7")]))
    assert wire.sent[0]["status"] == 429
    assert (b"retry-after", b"7") in wire.sent[0]["headers"]
    assert json.loads(wire.body)["error"]["code"] == "rate_limit_exceeded"
    assert wire.ended


async def test_an_error_in_a_stream_is_an_event_without_a_clean_end(wire: Wire) -> None:
    await wire.reply.begin(stream())
    await wire.reply.write(b"data: 1\n\n")
    await wire.reply.fail(ProviderError("It broke.", provider="p", code="upstream_cut"))
    assert json.loads(wire.sent[-1]["body"].removeprefix(b"data: "))["error"]["message"] == "It broke."
    assert not wire.ended
    await wire.reply.end()
    assert not wire.ended, "nothing may follow the error"


async def test_nothing_is_sent_to_a_client_that_has_gone(wire: Wire) -> None:
    await wire.reply.begin(stream())
    wire.incoming.put_nowait({"type": "http.disconnect"})
    await wire.reply.gone()
    await wire.reply.write(b"data: 1\n\n")
    await wire.reply.fail(ProviderError("It broke.", provider="p"))
    await wire.reply.end()
    assert len(wire.sent) == 1


async def test_a_client_gone_before_the_start_is_told_nothing(wire: Wire) -> None:
    await wire.reply.fail(ClientGone("gone"))
    assert wire.sent == []


async def test_a_sign_of_life_before_the_provider_answers(wire: Wire) -> None:
    wire.reply.keep_alive(0)
    await asyncio.sleep(0)
    assert wire.sent[0]["status"] == 200
    assert wire.body == b": keep-alive\n\n"
    await wire.reply.begin(stream())
    assert len([m for m in wire.sent if m["type"] == "http.response.start"]) == 1
    await wire.reply.fail(ProviderError("Late.", provider="p"))
    assert b"Late." in wire.body
    assert not wire.ended


async def test_no_sign_of_life_while_the_stream_speaks(wire: Wire) -> None:
    await wire.reply.begin(stream())
    await wire.reply.write(b"data: 1\n\n")
    wire.reply.keep_alive(60)
    await asyncio.sleep(0)
    assert b"keep-alive" not in wire.body


async def test_signs_of_life_and_events_do_not_mix(wire: Wire) -> None:
    await wire.reply.begin(stream())
    wire.may_send.clear()
    wire.reply.keep_alive(0)
    await asyncio.sleep(0)
    wire.reply.keep_alive(0)
    writing = asyncio.ensure_future(wire.reply.write(b"data: 1\n\n"))
    await asyncio.sleep(0)
    wire.may_send.set()
    await writing
    assert wire.body == b": keep-alive\n\ndata: 1\n\n"


async def test_no_sign_of_life_into_a_write_that_waits_for_a_slow_client(wire: Wire) -> None:
    await wire.reply.begin(stream())
    wire.may_send.clear()
    writing = asyncio.ensure_future(wire.reply.write(b"data: 1\n\n"))
    await asyncio.sleep(0)
    wire.reply.keep_alive(0)
    wire.may_send.set()
    await writing
    assert wire.body == b"data: 1\n\n"


async def test_a_server_that_raises_when_the_client_has_gone() -> None:
    async def send(_: Any) -> None:
        raise OSError

    reply = HttpReply(WIRES["openai.chat"], asyncio.Queue[Message]().get, send)
    await reply.begin(stream())
    await reply.write(b"data: 1\n\n")
    await reply.end()


class Prompt(Wire):
    """A server that sends as soon as it is told, as `gateway serve` does, while the client keeps up."""

    def __init__(self) -> None:
        super().__init__()
        self.reply = HttpReply(WIRES["openai.chat"], self.incoming.get, self.send_now)

    def send_now(self, message: Any) -> Any:
        if not self.may_send.is_set():
            return Later(lambda: self.send(message))
        self.sent.append(message)
        return DONE


async def test_a_prompt_server_has_the_events_when_write_returns() -> None:
    wire = Prompt()
    await wire.reply.begin(stream())
    assert wire.reply.write(b"data: 1\n\n") is DONE
    assert wire.body == b"data: 1\n\n"


async def test_a_prompt_server_is_waited_for_while_the_client_is_slow() -> None:
    wire = Prompt()
    await wire.reply.begin(stream())
    wire.may_send.clear()
    writing = wire.reply.write(b"data: 1\n\n")
    assert writing is not DONE
    waiting = asyncio.ensure_future(writing)
    await asyncio.sleep(0)
    assert wire.body == b""
    wire.may_send.set()
    await waiting
    assert wire.body == b"data: 1\n\n"


async def test_events_wait_for_a_sign_of_life_on_a_prompt_server_too() -> None:
    wire = Prompt()
    await wire.reply.begin(stream())
    wire.may_send.clear()
    wire.reply.keep_alive(0)
    await asyncio.sleep(0)
    writing = wire.reply.write(b"data: 1\n\n")
    assert writing is not DONE
    wire.may_send.set()
    await writing
    assert wire.body == b": keep-alive\n\ndata: 1\n\n"


async def test_any_other_server_is_sent_to_by_the_task_that_awaits() -> None:
    wire = Wire()
    await wire.reply.begin(stream())
    writing = wire.reply.write(b"data: 1\n\n")
    assert wire.body == b""
    await writing
    assert wire.body == b"data: 1\n\n"


async def test_a_sign_of_life_comes_once_the_stream_has_been_silent(wire: Wire) -> None:
    await wire.reply.begin(stream())
    await wire.reply.write(b"data: 1\n\n")
    wire.reply.keep_alive(0.001)
    await asyncio.sleep(0.002)
    assert b"keep-alive" not in wire.body
    wire.reply.keep_alive(0.001)
    await asyncio.sleep(0)
    assert wire.body.endswith(b": keep-alive\n\n")
