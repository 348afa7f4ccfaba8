"""Cohere's chat and embeddings in its own dialect: untouched, metered, and refused in Cohere's words."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx2
import pytest

from gateway.errors import GatewayError
from gateway.testing.upstream import Reply
from gateway.wire import WIRES, StreamFailed

JSON = {"content-type": "application/json"}
CHAT: dict[str, Any] = {"model": "command", "messages": [{"role": "user", "content": "Hello?"}]}
USED = b'{"billed_units":{"input_tokens":5,"output_tokens":7},"tokens":{"input_tokens":9,"output_tokens":7}}'


async def test_chat_of_cohere_is_a_call(serve: Any) -> None:
    said = b'{"role":"assistant","content":[{"type":"text","text":"Hi."}]}'
    answer = b'{"id":"c","finish_reason":"COMPLETE","message":%s,"usage":%s,"new":1}' % (said, USED)
    async with serve(Reply(headers=JSON, parts=[answer]), use="cohere", path="") as served:
        response = await served.http.post("/provider/acme/v2/chat", json=CHAT)
        assert response.content == answer
        assert served.watch.last() == ("chat", "command", "acme", "success", 200)
        usage = served.watch.ended[-1][1].usage
        assert (usage.prompt_tokens, usage.completion_tokens) == (5, 7)
        served.http.headers["authorization"] = "Bearer gw_one"
        refused = await served.http.post("/provider/acme/v2/chat", json=CHAT)
        assert refused.status_code == 403
        assert set(refused.json()) == {"message"}


@pytest.mark.parametrize("size", [1, 9, 10_000])
async def test_a_streamed_chat_of_cohere_passes_untouched_and_is_metered(serve: Any, size: int) -> None:
    delta = (
        b'{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Gr\xc3\xbc\xc3\x9fe"}}}}'
    )
    end = b'{"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":%s}}' % USED
    stream = b"event: content-delta\ndata: %s\n\nevent: message-end\ndata: %s\n\n" % (delta, end)
    parts = [stream[start : start + size] for start in range(0, len(stream), size)]
    kind = {"content-type": "text/event-stream"}
    async with serve(Reply(headers=kind, parts=parts), use="cohere", path="") as served:
        response = await served.http.post("/provider/acme/v2/chat", json={**CHAT, "stream": True})
        assert response.content == stream
        usage = served.watch.ended[-1][1].usage
        assert (usage.prompt_tokens, usage.completion_tokens, usage.estimated) == (5, 7, False)


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (b"", "upstream_cut"),
        (b'data: {"type":"message-end","delta":{"finish_reason":"ERROR","error":"Too hot."}}\n\n', None),
        (b"data: no json\n\n", "upstream_malformed"),
    ],
)
async def test_a_streamed_chat_of_cohere_that_breaks_off_says_so(
    serve: Any, tail: bytes, code: str | None
) -> None:
    delta = b'data: {"type":"content-delta","delta":{"message":{"content":{"text":"Hi"}}}}\n\n'
    reply = Reply(headers={"content-type": "text/event-stream"}, parts=[delta, tail or b": bye\n\n"])
    async with serve(reply, use="cohere", path="") as served:
        with contextlib.suppress(httpx2.HTTPError, AssertionError):  # as ASGI clients tell a cut answer
            await served.http.post("/provider/acme/v2/chat", json={**CHAT, "stream": True})
        call, outcome = served.watch.ended[-1]
        assert (call.dialect, outcome.status) == ("cohere.chat", "failed")
        assert outcome.usage.estimated
        if code:
            assert outcome.error_code == code


async def test_embeddings_of_cohere_are_a_call(serve: Any) -> None:
    answer = b'{"id":"e","embeddings":{"float":[[0.5]]},"meta":{"billed_units":{"input_tokens":3}}}'
    async with serve(Reply(headers=JSON, parts=[answer]), use="cohere", path="") as served:
        body = {"model": "embed", "texts": ["a"], "input_type": "search_query", "embedding_types": ["float"]}
        response = await served.http.post("/provider/acme/v2/embed", json=body)
        assert response.content == answer
        assert served.watch.last() == ("embedding", "embed", "acme", "success", 200)
        assert served.watch.ended[-1][1].usage.prompt_tokens == 3
        refused = await served.http.post("/provider/acme/v2/embed", json={"texts": ["a"]})
        assert (refused.status_code, set(refused.json())) == (400, {"message"})


def test_an_error_in_a_stream_is_an_end_that_says_so() -> None:
    event = WIRES["cohere.chat"].error_event(GatewayError("Too hot."))
    assert event.startswith(b"event: message-end\ndata: {")
    reader = WIRES["cohere.chat"].reader(None)  # pyright: ignore[reportArgumentType] - it needs none
    assert reader.feed(event) == b""
    assert isinstance(reader.failure, StreamFailed)
    assert reader.failure.message == "Too hot."
