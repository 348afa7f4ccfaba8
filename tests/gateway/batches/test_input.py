"""Input files of batches: read in any pieces, every fault with its line."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.batches.input import MOST_LINES, MOST_PROBLEMS, InputReader
from gateway.store.batch_runs import Line

ENDPOINT = "/v1/embeddings"


def line(custom_id: Any, **changes: Any) -> dict[str, Any]:
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": ENDPOINT,
        "body": {"model": "m", "input": "x"},
        **changes,
    }


def read(content: bytes, *cuts: int, max_line: int = 10_000) -> tuple[list[Line], InputReader]:
    reader = InputReader(ENDPOINT, max_line=max_line)
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    lines = [found for start, end in pairwise(places) for found in reader.feed(content[start:end])]
    return [*lines, *reader.end()], reader


@given(
    texts=st.lists(st.text(max_size=20), max_size=8),
    ends=st.sampled_from([b"\n", b"\r\n", b"\n\n", b" \n"]),
    last=st.booleans(),
    cuts=st.lists(st.integers(min_value=0), max_size=6),
)
def test_any_split_gives_the_same_lines(texts: list[str], ends: bytes, last: bool, cuts: list[int]) -> None:
    requests = [line(f"{n}", body={"model": "m", "input": text}) for n, text in enumerate(texts)]
    content = ends.join(json.dumps(each, ensure_ascii=False).encode() for each in requests)
    content += ends if last else b""
    lines, reader = read(content, *cuts)
    assert [found.custom_id for found in lines] == [each["custom_id"] for each in requests]
    assert [json.loads(found.request) for found in lines] == [each["body"] for each in requests]
    assert reader.count == len(texts)
    assert [problem.code for problem in reader.problems] == ([] if texts else ["empty_file"])


@given(content=st.binary(max_size=200), cuts=st.lists(st.integers(min_value=0), max_size=4))
def test_nothing_makes_it_fail(content: bytes, cuts: list[int]) -> None:
    lines, reader = read(content, *cuts, max_line=50)
    assert lines == [] or not reader.problems or reader.count == len(lines)


@pytest.mark.parametrize(
    ("given_line", "code"),
    [
        (line("a", method="GET"), "invalid_method"),
        (line("a", url="/v1/chat/completions"), "mismatched_url"),
        (line(""), "invalid_custom_id"),
        (line("a\0"), "invalid_custom_id"),
        (line("a" * 513), "invalid_custom_id"),
        (line("a\ud800"), "invalid_json_line"),
        (line(5), "invalid_json_line"),
        (line("a", body="text"), "invalid_json_line"),
        (line("a", body=[1]), "invalid_json_line"),
        ({"custom_id": "a"}, "invalid_json_line"),
        (line("a", body={"input": "x" * 300}), "line_too_long"),
    ],
)
def test_a_fault_is_told_with_its_line(given_line: dict[str, Any], code: str) -> None:
    content = b"\n".join(json.dumps(each).encode() for each in (line("ok"), given_line))
    lines, reader = read(content, max_line=800 if code != "line_too_long" else 200)
    assert [found.custom_id for found in lines] == ["ok"]
    assert [(problem.line, problem.code) for problem in reader.problems] == [(2, code)]


def test_the_model_is_told_when_all_name_the_same() -> None:
    def model(*bodies: dict[str, Any]) -> str | None:
        lines = [json.dumps(line(f"{n}", body=body)).encode() for n, body in enumerate(bodies)]
        return read(b"\n".join(lines))[1].model

    assert model({"model": "m"}, {"model": "m"}) == "m"
    assert model({"model": "m"}, {"model": "n"}) is None
    assert model({"model": "m"}, {}) is None
    assert model({}) is None


def test_it_gives_up_when_there_is_too_much_of_anything() -> None:
    _, reader = read(b"no json\n" * (MOST_PROBLEMS + 50))
    assert reader.gave_up
    assert len(reader.problems) == MOST_PROBLEMS
    _, reader = read(b"x" * 300, 100, 200, max_line=50)
    assert [problem.code for problem in reader.problems] == ["line_too_long"]
    content = b"\n".join(json.dumps(line(f"{n}")).encode() for n in range(MOST_LINES + 3))
    lines, reader = read(content)
    assert len(lines) == MOST_LINES
    assert [(p.code, p.line) for p in reader.problems] == [("too_many_requests", MOST_LINES + 1)]
