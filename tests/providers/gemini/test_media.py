"""Pictures, speech and films by Gemini, asked for through OpenAI's official SDK."""

# pyright: reportDeprecated=false
from __future__ import annotations

import base64
import json
from collections.abc import AsyncGenerator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.wire import wav

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")  # Veo is behind it here

JSON = {"content-type": "application/json"}
PNG = b"\x89PNG\r\n\x1a\n"
L16 = "audio/L16;codec=pcm;rate=24000"
KEYS = ("not-a-real-key-one", "not-a-real-key-two")
OPERATION = "models/veo-x/operations/abc123"


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
async def sdk(gateway_factory: GatewayFactory, upstream: FakeUpstream) -> AsyncGenerator[AsyncOpenAI]:
    config = {"provider": {"gemini": {"base_url": f"{upstream.url}/v1beta", "api_keys": list(KEYS)}}}
    async with (
        gateway_factory(config) as gateway,
        gateway.client as http,
        AsyncOpenAI(
            base_url="http://gateway/v1", api_key="sk-fake", http_client=http, max_retries=0
        ) as client,
    ):
        yield client


def said(*parts: dict[str, Any], finish: str = "STOP", **more: Any) -> Reply:
    answer = {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "finishReason": finish}],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 1290, "totalTokenCount": 1297},
        "modelVersion": "gemini-x",
        **more,
    }
    return Reply(headers=JSON, parts=[json.dumps(answer).encode()])


def spoken(*parts: dict[str, Any]) -> Reply:
    """Each part in an event of its own; the last one ends the answer and tells what it cost."""
    events: list[dict[str, Any]] = [
        {"candidates": [{"content": {"role": "model", "parts": [part]}}], "modelVersion": "gemini-x"}
        for part in parts
    ]
    events[-1]["candidates"][0]["finishReason"] = "STOP"
    events[-1]["usageMetadata"] = {"promptTokenCount": 7, "candidatesTokenCount": 1290}
    return Reply(
        headers={"content-type": "text/event-stream"},
        parts=[b"data: " + json.dumps(event).encode() + b"\n\n" for event in events],
    )


def inline(data: bytes, kind: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": kind, "data": base64.b64encode(data).decode()}}


def sent(upstream: FakeUpstream) -> dict[str, Any]:
    return json.loads(upstream.requests[-1].body)


async def test_a_picture(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    thought = {**inline(PNG + b"sketch", "image/png"), "thought": True}
    upstream.reply(said(thought, {"text": "Here it is."}, inline(PNG, "image/png")))
    made = await sdk.images.generate(model="gemini/gemini-x-image", prompt="A fox", size="1536x1024")
    assert made.data is not None
    assert [base64.b64decode(image.b64_json or "") for image in made.data] == [PNG]
    assert made.usage is not None
    assert (made.usage.input_tokens, made.usage.output_tokens, made.output_format) == (7, 1290, "png")
    assert upstream.requests[-1].path == "/v1beta/models/gemini-x-image:generateContent"
    assert sent(upstream) == {
        "contents": [{"role": "user", "parts": [{"text": "A fox"}]}],
        "generationConfig": {
            "responseModalities": ["TEXT", "IMAGE"],
            "imageConfig": {"aspectRatio": "3:2"},
        },
    }


async def test_several_pictures_are_several_requests(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(said(inline(PNG, "image/png")))
    made = await sdk.images.generate(model="gemini/m", prompt="A fox", n=3, response_format="url")
    assert made.data is not None
    assert [image.url for image in made.data] == [
        "data:image/png;base64," + base64.b64encode(PNG).decode()
    ] * 3
    assert made.usage is not None
    assert made.usage.output_tokens == 3 * 1290
    assert len(upstream.requests) == 3


async def test_pictures_by_imagen(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    picture = {"bytesBase64Encoded": base64.b64encode(PNG).decode(), "mimeType": "image/png"}
    upstream.reply(Reply(headers=JSON, parts=[json.dumps({"predictions": [picture, picture]}).encode()]))
    made = await sdk.images.generate(model="gemini/imagen-4.0-generate-001", prompt="A fox", n=2)
    assert made.data is not None
    assert [base64.b64decode(image.b64_json or "") for image in made.data] == [PNG, PNG]
    assert upstream.requests[-1].path == "/v1beta/models/imagen-4.0-generate-001:predict"
    assert sent(upstream)["parameters"]["sampleCount"] == 2


async def test_an_edit(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(said(inline(b"jpeg", "image/jpeg")))
    made = await sdk.images.edit(
        model="gemini/m",
        image=[("a.png", PNG + b"a", "image/png"), ("b", b"\xff\xd8\xff")],
        prompt="With a hat",
        size="3840x2160",
        user="ada",
    )
    assert made.output_format == "jpeg"
    first, second, text = sent(upstream)["contents"][0]["parts"]
    assert first == inline(PNG + b"a", "image/png")
    assert second["inlineData"]["mimeType"] == "image/jpeg"
    assert text == {"text": "With a hat"}
    settings = sent(upstream)["generationConfig"]
    assert settings["imageConfig"] == {"aspectRatio": "16:9", "imageSize": "4K"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", "1024x333"),
        ("quality", "high"),
        ("background", "transparent"),
        ("output_format", "webp"),
        ("style", "vivid"),
        ("moderation", "low"),
        ("stream", True),
    ],
)
async def test_what_gemini_cannot_paint_is_refused(sdk: AsyncOpenAI, field: str, value: Any) -> None:
    asked: dict[str, Any] = {field: value}
    with pytest.raises(openai.BadRequestError) as caught:
        await sdk.images.generate(model="gemini/m", prompt="A fox", **asked)
    assert caught.value.param == field


async def test_neutral_values_are_no_losses(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(said(inline(PNG, "image/png")))
    await sdk.images.generate(
        model="gemini/m",
        prompt="A fox",
        size="auto",
        quality="auto",
        background="auto",
        moderation="auto",
        output_format="png",
        n=1,
    )
    assert "imageConfig" not in sent(upstream)["generationConfig"]


async def test_a_picture_that_is_withheld(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(said({"text": "No."}, finish="IMAGE_SAFETY"))
    with pytest.raises(openai.BadRequestError, match="IMAGE_SAFETY") as caught:
        await sdk.images.generate(model="gemini/m", prompt="A fox")
    assert caught.value.code == "moderation_blocked"


async def test_speech(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    samples = bytes(range(256)) * 96
    pieces = [inline(samples[:1000], L16), inline(samples[1000:], L16)]
    upstream.reply(spoken(*pieces))
    heard = await sdk.audio.speech.create(
        model="gemini/gemini-x-tts", voice="Kore", input="Hello there", instructions="Say it cheerfully:"
    )
    assert heard.response.headers["content-type"] == "audio/wav"
    assert heard.content == wav.head(wav.UNKNOWN) + samples
    assert wav.seconds(heard.content) == len(samples) / wav.BYTES_PER_SECOND
    assert upstream.requests[-1].path == "/v1beta/models/gemini-x-tts:streamGenerateContent?alt=sse"
    assert sent(upstream) == {
        "contents": [{"role": "user", "parts": [{"text": "Say it cheerfully:\nHello there"}]}],
        "generationConfig": {
            "responseModalities": ["AUDIO"],
            "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
        },
    }
    bare = await sdk.audio.speech.create(
        model="gemini/gemini-x-tts", voice="Kore", input="Hello there", response_format="pcm"
    )
    assert (bare.response.headers["content-type"], bare.content) == ("audio/pcm", samples)


async def test_speech_in_events(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(spoken(inline(b"\0\1" * 100, L16), {"text": "Hm."}, inline(b"\2\3" * 50, L16)))
    async with sdk.audio.speech.with_streaming_response.create(
        model="gemini/m", voice="Kore", input="Hello", response_format="pcm", stream_format="sse"
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [json.loads(line[6:]) async for line in response.iter_lines() if line]
    *sounds, done = lines
    assert [base64.b64decode(sound["audio"]) for sound in sounds] == [b"\0\1" * 100, b"\2\3" * 50]
    assert {sound["type"] for sound in sounds} == {"speech.audio.delta"}
    assert done["type"] == "speech.audio.done"
    assert done["usage"] == {"input_tokens": 7, "output_tokens": 1290, "total_tokens": 1297}


@pytest.mark.parametrize(("field", "value"), [("response_format", "mp3"), ("speed", 2.0)])
async def test_what_gemini_cannot_speak_is_refused(sdk: AsyncOpenAI, field: str, value: Any) -> None:
    asked: dict[str, Any] = {field: value}
    with pytest.raises(openai.BadRequestError, match=field):
        await sdk.audio.speech.create(model="gemini/m", voice="Kore", input="Hello", **asked)


async def test_an_answer_without_sound(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(spoken({"text": "I cannot speak."}))
    with pytest.raises(openai.APIStatusError, match="no sound") as caught:
        await sdk.audio.speech.create(model="gemini/m", voice="Kore", input="Hello")
    assert caught.value.status_code == 502


async def test_recordings_are_not_for_gemini(sdk: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="cannot be used for transcription"):
        await sdk.audio.transcriptions.create(model="gemini/m", file=("a.wav", b"RIFF"))


def operation(**fields: Any) -> Reply:
    return Reply(headers=JSON, parts=[json.dumps({"name": OPERATION, **fields}).encode()])


async def test_a_film(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    uri = f"{upstream.url}/v1beta/files/film:download?alt=media"
    done = {
        "done": True,
        "response": {"generateVideoResponse": {"generatedSamples": [{"video": {"uri": uri}}]}},
    }
    upstream.reply(
        operation(),
        operation(metadata={}),
        operation(**done),
        operation(**done),
        Reply(headers={"content-type": "video/mp4"}, parts=[b"film"]),
    )
    film = await sdk.videos.create(
        model="gemini/veo-x",
        prompt="A fox",
        seconds="8",
        size="1280x720",
        input_reference=("a.png", PNG, "image/png"),
    )
    assert (film.status, film.seconds, film.size, film.prompt) == ("queued", "8", "1280x720", "A fox")
    assert upstream.requests[0].path == "/v1beta/models/veo-x:predictLongRunning"
    assert sent(upstream) == {
        "instances": [
            {
                "prompt": "A fox",
                "image": {"bytesBase64Encoded": base64.b64encode(PNG).decode(), "mimeType": "image/png"},
            }
        ],
        "parameters": {"durationSeconds": 8, "aspectRatio": "16:9", "resolution": "720p"},
    }
    again = await sdk.videos.retrieve(film.id)
    assert (again.status, again.seconds, again.prompt) == ("in_progress", "8", "A fox")
    assert upstream.requests[-1].path == f"/v1beta/{OPERATION}"
    assert (await sdk.videos.retrieve(film.id)).status == "completed"
    assert (await sdk.videos.download_content(film.id)).content == b"film"
    assert upstream.requests[-1].path == "/v1beta/files/film:download?alt=media"
    assert len({request.headers["x-goog-api-key"] for request in upstream.requests}) == 1
    assert (await sdk.videos.delete(film.id)).deleted


async def test_a_film_that_will_not_be(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(
        operation(),
        operation(done=True, error={"code": 3, "message": f"Bad prompt for {KEYS[0]}."}),
        operation(
            done=True, response={"generateVideoResponse": {"raiMediaFilteredReasons": ["Too dangerous."]}}
        ),
    )
    film = await sdk.videos.create(model="gemini/veo-x", prompt="A fox")
    failed = await sdk.videos.retrieve(film.id)
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error.message.startswith("Bad prompt")
    assert KEYS[0] not in failed.error.message
    filtered = await sdk.videos.retrieve(film.id)
    assert filtered.error is not None
    assert filtered.error.message == "Too dangerous."
    with pytest.raises(openai.NotFoundError, match="Too dangerous"):
        await sdk.videos.download_content(film.id)


async def test_no_key_goes_elsewhere(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    samples = [{"video": {"uri": "http://127.0.0.2:9/film"}}]
    upstream.reply(
        operation(),
        operation(done=True, response={"generateVideoResponse": {"generatedSamples": samples}}),
    )
    film = await sdk.videos.create(model="gemini/veo-x", prompt="A fox")
    with pytest.raises(openai.APIStatusError, match="a film that is elsewhere"):
        await sdk.videos.download_content(film.id)


async def test_a_film_cannot_be_remixed_there(sdk: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(operation())
    film = await sdk.videos.create(model="gemini/veo-x", prompt="A fox")
    with pytest.raises(openai.BadRequestError, match="cannot be used for video calls"):
        await sdk.videos.remix(film.id, prompt="By night")
