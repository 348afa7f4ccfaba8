"""What OpenAI's clients get, checked against the shapes that OpenAI publishes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.wire import wav

from ..fuzz.answers import SPEAKS, config, fill
from ..fuzz.canned import Canned
from ..fuzz.samples import BODIES, BOUNDARY, form, request
from ..fuzz.served import Asked, Got, Served, serving
from .official import event_problems, events, problems

JSON = {"content-type": "application/json"}
TRANSLATED = tuple(name for name in SPEAKS if name not in {"openai", "responses"})
WHOLE = {
    "/v1/chat/completions": "CreateChatCompletionResponse",
    "/v1/completions": "CreateCompletionResponse",
    "/v1/responses": "Response",
    "/v1/responses/input_tokens": "TokenCountsResource",
    "/v1/moderations": "CreateModerationResponse",
    "/v1/images/generations": "ImagesResponse",
    "/v1/images/edits": "ImagesResponse",
}
STREAMED = {
    "/v1/chat/completions": "CreateChatCompletionStreamResponse",
    "/v1/completions": "CreateCompletionResponse",
    "/v1/responses": "ResponseStreamEvent",
}
CHATS = tuple(STREAMED)
SAYINGS = (
    "Hello",
    "@chunks=30 x",
    "@tool=look Hello",
    "@tool=look @tool=look Hello",
    "@cached=3 Hello",
    "@no-usage Hello",
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(config(drop_params=True), plugins=[Canned]) as served:
        fill(served)
        yield served


def post(served: Served, path: str, body: Any) -> Got:
    return served.ask(Asked(path=path, headers=JSON, body=json.dumps(body).encode()))


def get(served: Served, path: str, query: bytes = b"") -> Any:
    got = served.ask(Asked(method="GET", path=path, query=query))
    assert got.status == 200
    return json.loads(got.body)


def check_whole(schema: str, got: Got) -> None:
    assert got.status == 200, got.body
    assert problems(schema, json.loads(got.body)) == []


def check_stream(schema: str, got: Got) -> None:
    assert got.status == 200, got.body
    seen = list(events(got.body))
    assert seen
    found = [event_problems(schema, e) if "type" in e else problems(schema, e) for e in seen]
    assert [problem for each in found for problem in each] == []


def said(path: str, text: str, *, model: str = "mock/echo", **fields: Any) -> dict[str, Any]:
    """Make a request with one message, and a tool."""
    tool: dict[str, Any] = {"name": "look", "parameters": {"type": "object", "properties": {}}}
    body: dict[str, Any]
    match path:
        case "/v1/chat/completions":
            tools: list[Any] = [{"type": "function", "function": tool}]
            options = {"stream_options": {"include_usage": True}} if fields.get("stream") else {}
            body = {"messages": [{"role": "user", "content": text}], "tools": tools, **options}
        case "/v1/completions":
            body = {"prompt": text}
        case _:
            body = {"input": text, "tools": [{"type": "function", "strict": False, **tool}]}
    return {"model": model, **body, **fields}


@pytest.mark.parametrize("provider", TRANSLATED)
@pytest.mark.parametrize("path", CHATS)
def test_translated_chats(served: Served, path: str, provider: str) -> None:
    _, body = request(path, f"{provider}/canned")
    check_whole(WHOLE[path], post(served, path, json.loads(body)))
    _, body = request(path, f"{provider}/canned", stream=True)
    check_stream(STREAMED[path], post(served, path, json.loads(body)))


@pytest.mark.parametrize("text", SAYINGS)
@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize("model", ["mock/echo", "mock/reasoner"])
def test_everything_that_the_mock_says(served: Served, path: str, text: str, model: str) -> None:
    check_whole(WHOLE[path], post(served, path, said(path, text, model=model)))
    check_stream(STREAMED[path], post(served, path, said(path, text, model=model, stream=True)))


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2},
        {"logprobs": True, "top_logprobs": 2},
        {"response_format": {"type": "json_object"}},
        {"max_completion_tokens": 1},
        {"parallel_tool_calls": False, "tool_choice": "required"},
        {"stop": ["l"], "seed": 1, "temperature": 0},
    ],
)
def test_what_a_chat_may_ask_for(served: Served, fields: dict[str, Any]) -> None:
    path = "/v1/chat/completions"
    check_whole(WHOLE[path], post(served, path, said(path, "Hello", **fields)))
    check_stream(STREAMED[path], post(served, path, said(path, "Hello", stream=True, **fields)))


@pytest.mark.parametrize("provider", ["mock", "bedrock", "cohere", "gemini", "ollama"])
def test_embeddings(served: Served, provider: str) -> None:
    """Only as numbers: for base64, which the SDKs ask for, the description has no words."""
    got = post(served, "/v1/embeddings", {"model": f"{provider}/canned", "input": ["Hello"]})
    check_whole("CreateEmbeddingResponse", got)


@pytest.mark.parametrize("path", ["/v1/moderations", "/v1/images/generations", "/v1/images/edits"])
def test_what_is_never_translated(served: Served, path: str) -> None:
    check_whole(WHOLE[path], post(served, path, {"model": "mock/echo", **BODIES[path]}))


@pytest.mark.parametrize(
    ("path", "schema", "fields"),
    [
        ("/v1/images/generations", "ImageGenStreamEvent", {"stream": True, "partial_images": 2}),
        ("/v1/images/edits", "ImageEditStreamEvent", {"stream": True, "partial_images": 1}),
        ("/v1/audio/speech", "CreateSpeechResponseStreamEvent", {"stream_format": "sse"}),
    ],
)
def test_pictures_and_sound_that_stream(served: Served, path: str, schema: str, fields: Any) -> None:
    check_stream(schema, post(served, path, {"model": "mock/echo", **BODIES[path], **fields}))


@pytest.mark.parametrize(
    ("path", "form_fields", "schema"),
    [
        ("/v1/audio/transcriptions", "json", "CreateTranscriptionResponseJson"),
        ("/v1/audio/transcriptions", "verbose_json", "CreateTranscriptionResponseVerboseJson"),
        ("/v1/audio/transcriptions", "diarized_json", "CreateTranscriptionResponseDiarizedJson"),
        ("/v1/audio/translations", "json", "CreateTranslationResponseJson"),
        ("/v1/audio/translations", "verbose_json", "CreateTranslationResponseVerboseJson"),
        ("/v1/images/variations", "b64_json", "ImagesResponse"),
    ],
)
def test_forms(served: Served, path: str, form_fields: str, schema: str) -> None:
    body = form(path, "mock/echo", response_format=form_fields)
    body = body.replace(b"RIFF\x00", wav.head(wav.BYTES_PER_SECOND) + bytes(wav.BYTES_PER_SECOND))
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    check_whole(schema, served.ask(Asked(path=path, headers=kind, body=body)))


def test_a_transcription_that_streams(served: Served) -> None:
    path = "/v1/audio/transcriptions"
    body = form(path, "mock/echo", stream="true")
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    check_stream(
        "CreateTranscriptionResponseStreamEvent", served.ask(Asked(path=path, headers=kind, body=body))
    )


def test_models(served: Served) -> None:
    assert problems("ListModelsResponse", get(served, "/v1/models")) == []
    assert problems("Model", get(served, "/v1/models/mock/echo")) == []


@pytest.mark.parametrize("fields", [{}, {"background": True}, {"previous": True}])
def test_stored_responses(served: Served, fields: dict[str, Any]) -> None:
    path = "/v1/responses"
    if fields.pop("previous", False):
        first = json.loads(post(served, path, said(path, "Hello")).body)
        fields = {"previous_response_id": first["id"]}
    got = post(served, path, said(path, "Hello", **fields))
    check_whole("Response", got)
    one = f"{path}/{json.loads(got.body)['id']}"
    assert problems("Response", get(served, one)) == []
    assert problems("ResponseItemList", get(served, f"{one}/input_items")) == []
    if fields.get("background"):
        check_whole("Response", served.ask(Asked(path=f"{one}/cancel")))


def test_counts_of_tokens(served: Served) -> None:
    path = "/v1/responses/input_tokens"
    check_whole("TokenCountsResource", post(served, path, said(path, "Hello")))


@pytest.mark.parametrize("text", ["@status=400 x", "@status=429 x", "@status=503 x", "@empty x", "@cut x"])
@pytest.mark.parametrize("path", CHATS)
@pytest.mark.parametrize("stream", [False, True])
def test_errors(served: Served, path: str, text: str, stream: bool) -> None:
    got = post(served, path, said(path, text, stream=stream))
    assert got.status >= 400
    assert problems("ErrorResponse", json.loads(got.body)) == []


@pytest.mark.parametrize("path", [*WHOLE, "/v1/embeddings", "/v1/audio/speech", "/v1/nothing"])
def test_refusals(served: Served, path: str) -> None:
    got = post(served, path, {"model": 3, "background": "x"})
    assert 400 <= got.status < 500
    assert problems("ErrorResponse", json.loads(got.body)) == []


@pytest.mark.parametrize("text", ["@cut=3 @chunks=9 x", "@malformed @chunks=9 x"])
@pytest.mark.parametrize("path", CHATS)
def test_streams_that_break_off(served: Served, path: str, text: str) -> None:
    """The last event is an error, in the shape that the dialect's SDK raises; what came before is as published."""
    got = post(served, path, said(path, text, stream=True))
    assert not got.ended
    *seen, last = events(got.body)
    schema = STREAMED[path]
    for event in seen:
        assert (event_problems(schema, event) if "type" in event else problems(schema, event)) == []
    if path == "/v1/responses":
        assert event_problems(schema, last) == []
        assert last["type"] in {"error", "response.failed"}
    else:
        assert problems("ErrorResponse", last) == []
