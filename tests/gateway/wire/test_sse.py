"""Events survive any cut between packets."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import WireError, sse

TEXT = st.text(st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), max_size=20)
EVENTS = st.lists(
    st.one_of(
        TEXT.map(lambda t: f"data: {t}"),
        TEXT.map(lambda t: f": {t}"),
        st.tuples(TEXT, TEXT).map(lambda t: f"event: {t[0]}\ndata: {t[1]}"),
    ),
    min_size=1,
    max_size=8,
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(ends)]


@given(EVENTS, st.lists(st.integers(0, 10_000)), st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_cut_gives_the_same_events(events: list[str], places: list[int], line_end: str) -> None:
    stream = "".join(event + "\n\n" for event in events)
    splitter = sse.EventSplitter()
    packets = cut(stream.replace("\n", line_end).encode(), places)
    pieces = [splitter.feed(packet) for packet in packets]
    assert b"".join(pieces) == stream.encode()
    assert all(piece.endswith(b"\n\n") for piece in pieces if piece)
    assert splitter.rest == b""


@given(EVENTS, st.lists(st.integers(0, 10_000)))
def test_a_byte_order_mark_at_the_beginning_goes(events: list[str], places: list[int]) -> None:
    stream = "".join(event + "\n\n" for event in events).encode()
    splitter = sse.EventSplitter()
    assert b"".join(splitter.feed(packet) for packet in cut(b"\xef\xbb\xbf" + stream, places)) == stream


def test_an_unfinished_event_is_held_back() -> None:
    splitter = sse.EventSplitter()
    assert splitter.feed(b"data: 1\n\ndata: 2") == b"data: 1\n\n"
    assert splitter.rest == b"data: 2"


def test_an_endless_event_is_refused() -> None:
    splitter = sse.EventSplitter()
    with pytest.raises(WireError, match="longer than"):
        splitter.feed(b"x" * (sse.MAX_EVENT_BYTES + 1))


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: 1", b"1"),
        (b"data:1", b"1"),
        (b"data", b""),
        (b": comment", b""),
        (b"event: x\ndata: 1\ndata: 2", b"1\n2"),
        (b"id: 5\ndata:  two spaces", b" two spaces"),
    ],
)
def test_payload(event: bytes, data: bytes) -> None:
    assert sse.payload(event) == data


def test_event_format() -> None:
    assert sse.event(b"{}") == b"data: {}\n\n"
    assert sse.event(b"{}", "error") == b"event: error\ndata: {}\n\n"
