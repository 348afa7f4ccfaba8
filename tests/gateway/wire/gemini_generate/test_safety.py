"""Safety results that a client of Gemini is shown: in its own shape, whoever found them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.wire.canonical import ChatAnswer, ChatRequest, Choice, End, Start, Stop, Text, TextDelta
from gateway.wire.gemini_generate import GeminiGenerateCodec

CODEC = GeminiGenerateCodec()
REQUEST = ChatRequest(dialect="gemini.generate", model="m", messages=())
OWN: list[dict[str, Any]] = [{"category": "HARM_CATEGORY_HARASSMENT", "probability": "LOW", "unknown": 1}]
AZURE: dict[str, Any] = {
    "hate": {"filtered": False, "severity": "safe"},
    "sexual": {"filtered": True, "severity": "high"},
    "violence": {"filtered": False, "severity": "low"},
    "jailbreak": {"filtered": False, "detected": False},
    "custom_blocklists": [],
}
RATED = [
    {"category": "HARM_CATEGORY_HATE_SPEECH", "probability": "NEGLIGIBLE"},
    {"category": "HARM_CATEGORY_SEXUALLY_EXPLICIT", "probability": "HIGH", "blocked": True},
]
CASES = pytest.mark.parametrize(
    ("safety", "shown"),
    [
        (OWN, OWN),
        (AZURE, RATED),
        ({"hate": {"severity": "unheard of"}}, None),
        ({"hate": "none"}, None),
        (["hate"], None),
        ("safe", None),
        (None, None),
    ],
)


@CASES
def test_in_whole_answers(safety: Any, shown: Any) -> None:
    answer = ChatAnswer(
        id="a", model="m", choices=(Choice(parts=(Text(text="Hi"),), stop="stop", safety=safety),)
    )
    (candidate,) = json.loads(CODEC.encode_answer(answer, REQUEST))["candidates"]
    assert candidate.get("safetyRatings") == shown


@CASES
def test_in_streams(safety: Any, shown: Any) -> None:
    events = (Start(id="a", model="m"), TextDelta("Hi"), Stop("stop", safety=safety), End())
    sent = CODEC.encoder(REQUEST).encode(events)
    last = json.loads(sent.strip().rpartition(b"data: ")[2])
    assert last["candidates"][0].get("safetyRatings") == shown
