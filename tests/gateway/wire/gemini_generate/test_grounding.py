"""What separate texts of an answer rest upon: positions count in each part, or where none is named in all of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.testing.fakes import make_call
from gateway.wire import CODECS, exchange

PARTS: list[dict[str, Any]] = [
    {"text": "Hm.", "thought": True},
    {"text": "Äins. "},
    {"executableCode": {"language": "PYTHON", "code": "print(2)"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}},
    {"text": "Zwei, Dréi."},
]
WEB = {"groundingChunks": [{"web": {"uri": f"https://{name}.example", "title": name}} for name in "ab"]}


def support(source: int, start: int, end: int, **part: int) -> dict[str, Any]:
    segment = {**part, "startIndex": start, "endIndex": end}
    return {"segment": segment, "groundingChunkIndices": [source]}


BY_PART = [support(0, 0, 5, partIndex=1), support(1, 6, 11, partIndex=4)]
JOINED = [support(0, 0, 5), support(1, 13, 18)]
"""Of `Äins` and `Dréi`, in bytes."""
BOTH = pytest.mark.parametrize("supports", [BY_PART, JOINED], ids=["by part", "joined"])


def candidate(parts: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": parts, "role": "model"}, **more}], "responseId": "r"}


def ended(supports: list[dict[str, Any]]) -> dict[str, Any]:
    return {"finishReason": "STOP", "groundingMetadata": {**WEB, "groundingSupports": supports}}


def whole(dialect: str, supports: list[dict[str, Any]], **asked: Any) -> Any:
    turn = exchange(make_call({"model": "m", **asked}, dialect=dialect), "gemini.generate", provider="up")
    turn.prepare("m")
    return json.loads(turn.whole(json.dumps(candidate(PARTS, **ended(supports))).encode())[0])


def streamed(dialect: str, supports: list[dict[str, Any]], **asked: Any) -> list[Any]:
    call = make_call({"model": "m", "stream": True, **asked}, dialect=dialect)
    turn = exchange(call, "gemini.generate", provider="up")
    turn.prepare("m")
    reader = turn.reader()
    pieces = [candidate([part]) for part in PARTS[:-1]]
    pieces += [
        candidate([{"text": "Zwei, "}]),
        candidate([{"text": "Dréi."}]),
        candidate([], **ended(supports)),
    ]
    shown = b"".join(reader.feed(b"data: " + json.dumps(one).encode() + b"\n\n") for one in pieces)
    shown += reader.end()
    events = [event.partition(b"data: ")[2] for event in shown.split(b"\n\n")]
    return [json.loads(event) for event in events if event.startswith(b"{")]


def cut(text: str, notes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The address of each note, and the words that it is of."""
    return [(note["url"], text[note["start_index"] : note["end_index"]]) for note in notes]


@BOTH
def test_each_text_has_its_own(supports: list[dict[str, Any]]) -> None:
    answer = CODECS["gemini.generate"].decode_answer(json.dumps(candidate(PARTS, **ended(supports))).encode())
    texts = [part for part in answer.choices[0].parts if hasattr(part, "citations")]
    found = [[(one.url, text.text[one.start : one.end]) for one in text.citations] for text in texts]
    assert found == [[("https://a.example", "Äins")], [("https://b.example", "Dréi")]]


@BOTH
def test_in_responses_each_item_counts_for_itself(supports: list[dict[str, Any]]) -> None:
    for output in (
        whole("openai.responses", supports, input="Hi")["output"],
        streamed("openai.responses", supports, input="Hi")[-1]["response"]["output"],
    ):
        parts = [part for item in output if item["type"] == "message" for part in item["content"]]
        assert [cut(part["text"], part["annotations"]) for part in parts] == [
            [("https://a.example", "Äins")],
            [("https://b.example", "Dréi")],
        ]


@BOTH
def test_in_a_chat_all_texts_are_one(supports: list[dict[str, Any]]) -> None:
    asked = {"messages": [{"role": "user", "content": "Hi"}]}
    message = whole("openai.chat", supports, **asked)["choices"][0]["message"]
    deltas = [
        choice["delta"] for event in streamed("openai.chat", supports, **asked) for choice in event["choices"]
    ]
    text = "".join(delta.get("content") or "" for delta in deltas)
    notes = [note for delta in deltas for note in delta.get("annotations", ())]
    for said, told in ((message["content"], message["annotations"]), (text, notes)):
        assert cut(said, [note["url_citation"] for note in told]) == [
            ("https://a.example", "Äins"),
            ("https://b.example", "Dréi"),
        ]


def test_back_in_geminis_words_positions_name_the_part() -> None:
    codec = CODECS["gemini.generate"]
    answer = codec.decode_answer(json.dumps(candidate(PARTS, **ended(BY_PART))).encode())
    request = codec.decode_request(b'{"contents":[{"parts":[{"text":"Hi"}]}]}', model="m", stream=False)
    said = json.loads(codec.encode_answer(answer, request))["candidates"][0]
    for support, words in zip(said["groundingMetadata"]["groundingSupports"], ("Äins", "Dréi"), strict=True):
        segment = support["segment"]
        text = said["content"]["parts"][segment["partIndex"]]["text"].encode()
        assert text[segment["startIndex"] : segment["endIndex"]].decode() == words == segment["text"]
