from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.types import Call, Principal, Usage
from gateway.wire import Given, StreamCut, Wire, WireError, multipart
from gateway.wire.multipart import NewField
from gateway.wire.openai_images import OpenAIImageEdits, OpenAIImages, OpenAIImageVariations

FORM = [
    NewField("model", b"a/b"),
    NewField("prompt", b"A hat"),
    NewField("image[]", b"\x89PNG", "a.png", "image/png"),
]


def call(body: bytes, content_type: str = "application/json", *, wire: Wire | None = None) -> Call:
    wire = wire or OpenAIImages()
    head = wire.read(body, Given(content_type=content_type))
    return Call(
        id="call_1",
        request_id="req_1",
        client_request_id=None,
        capability="image",
        dialect=wire.name,
        model=head.model,
        stream=head.stream,
        shows_usage=True,
        body=body,
        content_type=content_type,
        principal=Principal(tenant="default", authenticator="test"),
        received_at=0.0,
    )


def asked(**fields: Any) -> bytes:
    return json.dumps({"model": "a/b", "prompt": "A fox", **fields}).encode()


def events(*told: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (t["type"].encode(), json.dumps(t).encode()) for t in told)


def completed(kind: str = "image_generation.completed", tokens: int = 5) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": tokens, "total_tokens": 3 + tokens}
    return {"type": kind, "b64_json": "AAAA", "usage": usage, "a_new_field": {"x": [1]}}


PARTIAL = {
    "type": "image_generation.partial_image",
    "b64_json": "AA==",
    "partial_image_index": 0,
    "note": "ü",
}


def test_a_request_passes_untouched_but_for_the_model() -> None:
    body = asked(a_new_field=[1, 2])
    wire = OpenAIImages()
    assert wire.prepare(call(body), "a/b") is body
    assert json.loads(wire.prepare(call(body), "b")) == {**json.loads(body), "model": "b"}


def test_a_form_passes_untouched_but_for_the_model() -> None:
    wire = OpenAIImageEdits()
    body, kind = multipart.write([*FORM, NewField("stream", b"true")])
    given_call = call(body, kind, wire=wire)
    assert given_call.stream
    assert wire.prepare(given_call, "a/b") is body
    assert wire.prepare(given_call, "longer-name") == body.replace(b"a/b", b"longer-name")


@pytest.mark.parametrize(
    ("wire", "fields", "param"),
    [
        (OpenAIImageEdits(), FORM[1:], "model"),
        (OpenAIImageEdits(), [FORM[0], FORM[2]], "prompt"),
        (OpenAIImageEdits(), FORM[:2], "image"),
        (OpenAIImageEdits(), [*FORM, NewField("stream", b"yes")], "stream"),
        (OpenAIImageEdits(), [*FORM, NewField("n", b"many")], "n"),
        (OpenAIImageVariations(), FORM[:1], "image"),
    ],
)
def test_what_is_missing_in_a_form_is_named(wire: Wire, fields: list[NewField], param: str) -> None:
    body, kind = multipart.write(fields)
    with pytest.raises(InvalidRequest) as caught:
        wire.read(body, Given(content_type=kind))
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("body", "param"),
    [({"prompt": "x"}, "model"), ({"model": "m"}, "prompt"), ({"model": "m", "prompt": "x", "n": "2"}, "n")],
)
def test_what_is_missing_in_json_is_named(body: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        OpenAIImages().read(json.dumps(body).encode())
    assert caught.value.param == param


def test_a_variation_needs_no_prompt() -> None:
    body, kind = multipart.write([FORM[0], FORM[2]])
    assert OpenAIImageVariations().read(body, Given(content_type=kind)).model == "a/b"


def test_pictures_and_tokens_are_counted() -> None:
    wire = OpenAIImages()
    answer: dict[str, Any] = {"data": [{}, {}], "usage": completed()["usage"]}
    assert wire.usage(json.dumps(answer).encode()) == Usage(prompt_tokens=3, completion_tokens=5, images=2)
    assert wire.usage(b'{"data": [{"url": "https://example.com"}]}') == Usage(images=1)
    assert wire.usage(b'{"created": 1}') is None
    assert wire.estimate(call(asked(n=3)), b"{}") == Usage(prompt_tokens=2, images=3, estimated=True)
    with pytest.raises(WireError):
        wire.usage(b"<html>")


@given(st.data())
def test_however_a_stream_is_cut_it_says_the_same(data: st.DataObject) -> None:
    stream = b": hello\n\n" + events(PARTIAL, completed(), PARTIAL, completed(tokens=7))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    reader = OpenAIImages().reader(call(asked(n=2, stream=True)))
    edges = [0, *cuts, len(stream)]
    out = b"".join(reader.feed(stream[a:b]) for a, b in itertools.pairwise(edges)) + reader.end()
    assert out == stream
    assert reader.finished
    assert reader.usage == Usage(prompt_tokens=6, completion_tokens=12, images=2)


def test_a_stream_without_all_its_pictures_is_cut() -> None:
    reader = OpenAIImages().reader(call(asked(n=2, stream=True)))
    reader.feed(events(PARTIAL, completed()))
    assert not reader.finished
    with pytest.raises(StreamCut):
        reader.end()
    assert reader.usage == Usage(prompt_tokens=3, completion_tokens=5, images=1)


def test_an_error_in_a_stream_is_found() -> None:
    reader = OpenAIImages().reader(call(asked(stream=True)))
    failed = {"type": "error", "error": {"message": "No.", "type": "x", "code": "moderation_blocked"}}
    assert reader.feed(events(PARTIAL, failed)) == events(PARTIAL)
    assert str(reader.failure) == "No."


@given(st.binary(max_size=60))
def test_no_noise_breaks_a_reader(noise: bytes) -> None:
    reader = OpenAIImages().reader(call(asked(stream=True)))
    reader.feed(noise + b"\n\n" + b"data: " + noise + b"\n\n")
    if reader.failure is None:
        with pytest.raises(StreamCut):
            reader.end()
