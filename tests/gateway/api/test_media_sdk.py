"""OpenAI's official SDK against the gateway: pictures, speech, transcriptions, translations."""

# pyright: reportDeprecated=false
from __future__ import annotations

import base64
import io
import struct
from collections.abc import AsyncGenerator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway.testing.pytest_plugin import GatewayFactory
from gateway.wire import wav

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")  # the SDK, of old endpoints

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
async def sdk(gateway_factory: GatewayFactory) -> AsyncGenerator[AsyncOpenAI]:
    async with (
        gateway_factory({"provider": {"mock": {}}}) as gateway,
        gateway.client as http,
        AsyncOpenAI(
            base_url="http://gateway/v1", api_key="sk-fake", http_client=http, max_retries=0
        ) as client,
    ):
        yield client


def recording(seconds: float) -> Any:
    samples = bytes(int(seconds * wav.BYTES_PER_SECOND))
    return ("said.wav", wav.head(len(samples)) + samples, "audio/wav")


async def test_pictures(sdk: AsyncOpenAI) -> None:
    made = await sdk.images.generate(model="mock/painter", prompt="A red fox", n=2)
    assert made.data is not None
    assert made.usage is not None
    pictures = [base64.b64decode(picture.b64_json or "") for picture in made.data]
    assert len(set(pictures)) == 2
    assert all(picture.startswith(PNG) for picture in pictures)
    again = await sdk.images.generate(model="mock/painter", prompt="A red fox")
    assert again.data is not None
    assert base64.b64decode(again.data[0].b64_json or "") == pictures[0]
    linked = await sdk.images.generate(model="mock/painter", prompt="A red fox", response_format="url")
    assert linked.data is not None
    assert (linked.data[0].url or "").startswith("data:image/png;base64,")


async def test_pictures_that_grow(sdk: AsyncOpenAI) -> None:
    stream = await sdk.images.generate(
        model="mock/painter", prompt="A red fox", n=2, stream=True, partial_images=2
    )
    kinds = [event.type async for event in stream]
    assert kinds == ["image_generation.partial_image"] * 2 + ["image_generation.completed"] + [
        "image_generation.partial_image"
    ] * 2 + ["image_generation.completed"]


async def test_edits_and_variations(sdk: AsyncOpenAI) -> None:
    first = ("one.png", io.BytesIO(PNG + b"one"), "image/png")
    second = ("two.png", PNG + b"two", "image/png")
    edited = await sdk.images.edit(
        model="mock/painter", image=[first, second], prompt="With a hat", n=2, mask=("m.png", PNG)
    )
    assert edited.data is not None
    assert len(edited.data) == 2
    stream = await sdk.images.edit(model="mock/painter", image=second, prompt="With a hat", stream=True)
    assert [event.type async for event in stream] == ["image_edit.completed"]
    varied = await sdk.images.create_variation(model="mock/painter", image=second, response_format="b64_json")
    assert varied.data is not None
    assert base64.b64decode(varied.data[0].b64_json or "").startswith(PNG)
    with pytest.raises(openai.BadRequestError, match="'image'"):
        await sdk.images.edit(model="mock/painter", image=[], prompt="With a hat")


async def test_edits_in_json(sdk: AsyncOpenAI) -> None:
    body = {
        "model": "mock/painter",
        "prompt": "With a hat",
        "images": [{"image_url": "data:image/png;base64,AA=="}],
    }
    answer = await sdk.post("/images/edits", body=body, cast_to=openai.types.ImagesResponse)
    assert answer.data
    with pytest.raises(openai.BadRequestError, match="'images'"):
        await sdk.post(
            "/images/edits", body={"model": "mock/painter", "prompt": "With a hat"}, cast_to=object
        )


async def test_speech(sdk: AsyncOpenAI) -> None:
    whole = await sdk.audio.speech.create(model="mock/voice", voice="alloy", input="Hello there, you.")
    assert whole.response.headers["content-type"] == "audio/wav"
    assert wav.seconds(whole.content) == pytest.approx(17 / 15, abs=0.01)
    bare = await sdk.audio.speech.create(
        model="mock/voice", voice="alloy", input="Hello there, you.", response_format="pcm"
    )
    assert (bare.response.headers["content-type"], bare.content) == ("audio/pcm", whole.content[44:])


async def test_speech_in_events(sdk: AsyncOpenAI) -> None:
    async with sdk.audio.speech.with_streaming_response.create(
        model="mock/voice", voice="alloy", input="Hello there", stream_format="sse"
    ) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = [line async for line in response.iter_lines() if line]
    assert '"type":"speech.audio.done"' in lines[-1]
    assert all('"type":"speech.audio.delta"' in line for line in lines[:-1])


async def test_a_refusal_is_no_sound(sdk: AsyncOpenAI) -> None:
    with pytest.raises(openai.APIStatusError, match="503"):
        await sdk.audio.speech.create(model="mock/voice", voice="alloy", input="Hello. @status=503")


async def test_transcriptions_in_every_format(sdk: AsyncOpenAI) -> None:
    async def heard(form: Any) -> Any:
        create: Any = sdk.audio.transcriptions.create
        return await create(model="mock/ear", file=recording(2.5), response_format=form)

    said = "Hello from the mock provider."
    assert (await heard("json")).text == said
    assert (await heard("json")).usage.type == "tokens"
    assert await heard("text") == f"{said}\n"
    assert await heard("srt") == f"1\n00:00:00,000 --> 00:00:02,500\n{said}\n\n"
    assert (await heard("vtt")).startswith("WEBVTT\n\n00:00:00.000 --> 00:00:02.500\n")
    verbose = await heard("verbose_json")
    assert (verbose.duration, verbose.segments[0].text, verbose.usage.seconds) == (2.5, said, 3)
    assert (await heard("diarized_json")).segments[0].speaker == "A"
    with pytest.raises(openai.BadRequestError, match="'response_format'"):
        await heard("docx")


async def test_a_transcription_that_streams(sdk: AsyncOpenAI) -> None:
    stream = await sdk.audio.transcriptions.create(model="mock/ear", file=recording(1), stream=True)
    events = [event async for event in stream]
    assert "".join(event.delta for event in events if event.type == "transcript.text.delta") == (
        "Hello from the mock provider."
    )
    assert events[-1].type == "transcript.text.done"


async def test_translations(sdk: AsyncOpenAI) -> None:
    answer = await sdk.audio.translations.create(model="mock/ear", file=recording(1))
    assert answer.text == "Hello from the mock provider."
    text = await sdk.audio.translations.create(model="mock/ear", file=recording(1), response_format="text")
    assert str(text).strip() == "Hello from the mock provider."


async def test_bad_forms_are_refused_in_words(sdk: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="model"):
        await sdk.audio.transcriptions.create(model="", file=recording(1))
    with pytest.raises(openai.BadRequestError, match="not a valid form: the content-type"):
        await sdk.post("/audio/transcriptions", body={"model": "mock/ear"}, cast_to=object)


def test_a_wav_head_tells_its_length() -> None:
    assert wav.seconds(wav.head(48_000) + bytes(48_000)) == 1.0
    assert wav.seconds(wav.head(4_000_000_000) + bytes(24_000)) == 0.5, (
        "a streamed file does not know its end"
    )
    assert wav.seconds(b"RIFF" + struct.pack("<I", 4) + b"WAVE") is None
    assert wav.seconds(b"ID3\x04") is None
