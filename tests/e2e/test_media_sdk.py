"""Media through OpenAI's SDK against `gateway serve`, where it matters that the socket is real."""

from __future__ import annotations

import time
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI

from .support.process import Deployment, deployment

CONFIG = """
[gateway]
max_body_bytes = 100_000
[auth.apikey]
[provider.mock]
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployment(tmp_path_factory.mktemp("media"), CONFIG) as served:
        yield served


@pytest.fixture(scope="module")
def sdk(served: Deployment) -> Iterator[OpenAI]:
    key = served.key()["key"]
    with OpenAI(base_url=f"{served.url}/v1", api_key=key, max_retries=0, timeout=30) as client:
        yield client


def test_a_sound_streams_as_it_comes(sdk: OpenAI) -> None:
    text = "Hello there, you. @gap=100"
    begun = time.monotonic()
    with sdk.audio.speech.with_streaming_response.create(
        model="mock/voice", voice="alloy", input=text
    ) as answer:
        assert answer.headers["content-type"] == "audio/wav"
        pieces = [(time.monotonic() - begun, piece) for piece in answer.iter_bytes()]
    assert len(pieces) > 5
    assert pieces[-1][0] > 0.5, "the pieces came one by one, a tenth of a second apart"
    assert b"".join(piece for _, piece in pieces).startswith(b"RIFF")


def test_a_sound_that_breaks_off_is_no_sound(sdk: OpenAI) -> None:
    with pytest.raises(openai.APIConnectionError):
        sdk.audio.speech.create(model="mock/voice", voice="alloy", input="Hello there, you. @cut=3")


def test_a_file_that_is_too_large(sdk: OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        sdk.audio.transcriptions.create(model="mock/ear", file=("long.wav", bytes(200_000)))
    assert caught.value.status_code == 413
