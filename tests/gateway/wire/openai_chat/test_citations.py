"""A citation points at the words that it is for, wherever they stand in the one text of a chat completion."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.canonical import ChatRequest
from gateway.wire.gemini_generate import GeminiGenerateCodec
from gateway.wire.openai_chat import OpenAIChatCodec

from ..canonical_strategies import words

ASKED = ChatRequest(dialect="openai.chat", model="m", messages=())


@given(st.lists(words(), min_size=1, max_size=4), st.data())
def test_what_gemini_grounds_is_found_again(texts: list[str], data: st.DataObject) -> None:
    part = data.draw(st.integers(0, len(texts) - 1))
    start = data.draw(st.integers(0, len(texts[part]) - 1))
    end = data.draw(st.integers(start + 1, len(texts[part])))
    segment = {
        "partIndex": part,
        "startIndex": len(texts[part][:start].encode()),
        "endIndex": len(texts[part][:end].encode()),
    }
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://example.com/tides", "title": "Tides"}}],
        "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
    }
    content = {"parts": [{"text": text} for text in texts], "role": "model"}
    answer = {"candidates": [{"content": content, "finishReason": "STOP", "groundingMetadata": grounding}]}
    told = GeminiGenerateCodec().decode_answer(json.dumps(answer).encode())
    message: dict[str, Any] = json.loads(OpenAIChatCodec().encode_answer(told, ASKED))["choices"][0][
        "message"
    ]
    (cited,) = (note["url_citation"] for note in message["annotations"])
    assert message["content"][cited["start_index"] : cited["end_index"]] == texts[part][start:end]
