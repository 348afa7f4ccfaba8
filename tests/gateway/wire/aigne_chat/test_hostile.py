"""Whatever stands in a request: it is read, or refused as the client's mistake, and never a fault."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.testing.fakes import make_call
from gateway.wire import EVERYTHING, WIRES, exchange

WORDS = st.text(max_size=8) | st.sampled_from(
    ["http://[", "data:;base64,", "a.mp4", "data:image/png;base64,%%", "{"]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(0, 2) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
)
CACHE = st.sampled_from([None, {}, {"type": "ephemeral", "ttl": "5m"}, {"ttl": "9h"}])


def object_of(given: dict[str, Any], **optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(given, optional=optional)


PARTS = object_of(
    {"type": st.sampled_from(["text", "file", "url", "local", "image_url", "smell"])},
    text=WORDS,
    url=WORDS,
    data=WORDS,
    mimeType=WORDS,
    filename=WORDS,
    isThinking=st.booleans(),
    cacheControl=CACHE,
    image_url=WORDS | object_of({"url": WORDS}),
)
CALLS = object_of(
    {"id": WORDS, "function": object_of({"name": WORDS}, arguments=ANYTHING)}, metadata=ANYTHING
)
TURNS = object_of(
    {"role": st.sampled_from(["system", "user", "agent", "tool"])},
    content=WORDS | st.lists(PARTS, max_size=3) | ANYTHING,
    toolCalls=st.lists(CALLS, max_size=2),
    toolCallId=WORDS,
    name=WORDS,
    cacheControl=CACHE,
)
OPTIONS = object_of(
    {},
    temperature=ANYTHING,
    stop=st.lists(WORDS, max_size=2) | WORDS,
    modalities=st.lists(st.sampled_from(["TEXT", "image", "audio", "smell"])),
    reasoningEffort=st.integers(-3, 99) | st.sampled_from(["low", "absurd"]),
    cacheConfig=st.sampled_from(
        [{}, {"ttl": 3}, {"autoBreakpoints": {"lastMessage": True}}, {"strategy": "odd"}]
    ),
    other=ANYTHING,
)
SCHEMAS = object_of(
    {"type": st.sampled_from(["text", "json_schema"])}, jsonSchema=object_of({}, schema=ANYTHING)
)
INPUTS = object_of(
    {},
    tools=st.lists(object_of({"function": object_of({"name": WORDS}, parameters=ANYTHING)}), max_size=2),
    toolChoice=st.sampled_from(["auto", "none", "required", {"function": {"name": "f"}}]),
    responseFormat=SCHEMAS,
)


@given(messages=st.lists(TURNS, min_size=1, max_size=3), options=OPTIONS, more=INPUTS)
def test_a_request_is_read_or_refused(
    messages: list[Any], options: dict[str, Any], more: dict[str, Any]
) -> None:
    body = {"input": {"messages": messages, "modelOptions": {"model": "m", **options}, **more}}
    for dialect in ("openai.chat", "anthropic.messages", "gemini.generate"):
        with contextlib.suppress(InvalidRequest):
            WIRES["aigne.chat"].read(json.dumps(body).encode())
            call = make_call(body, dialect="aigne.chat")
            json.loads(exchange(call, dialect, provider="p", may_drop=EVERYTHING).prepare("theirs"))
