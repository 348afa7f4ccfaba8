"""Frames of Amazon's event stream, checked against frames that its SDKs publish as test data."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.wire.aws_event_stream import Frame, FrameReader, frame

from .canonical_streams import packets

NO_HEADERS = bytes.fromhex("0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936")
ONE_HEADER = bytes.fromhex(
    "0000003d0000002007fd83960c636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e"
    "7b27666f6f273a27626172277d8d9c08b1"
)
names = st.text(st.characters(codec="ascii"), min_size=1, max_size=20)
frames = st.lists(
    st.builds(Frame, st.dictionaries(names, st.text(max_size=20), max_size=4), st.binary(max_size=60)),
    min_size=1,
    max_size=5,
)


def test_published_frames() -> None:
    assert FrameReader().feed(NO_HEADERS + ONE_HEADER) == [
        Frame({}, b"{'foo':'bar'}"),
        Frame({"content-type": "application/json"}, b"{'foo':'bar'}"),
    ]
    assert frame({}, b"{'foo':'bar'}") == NO_HEADERS
    assert frame({"content-type": "application/json"}, b"{'foo':'bar'}") == ONE_HEADER


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), frames)
def test_cut_anywhere(data: st.DataObject, given: list[Frame]) -> None:
    stream = b"".join(frame(one.headers, one.payload) for one in given)
    reader = FrameReader()
    read = [one for packet in data.draw(packets(stream)) for one in reader.feed(packet)]
    assert read == given
    assert (reader.failure, reader.rest) == (None, b"")


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data(), frames)
def test_a_flipped_bit_is_noticed(data: st.DataObject, given: list[Frame]) -> None:
    stream = bytearray(b"".join(frame(one.headers, one.payload) for one in given))
    stream[data.draw(st.integers(0, len(stream) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    reader = FrameReader()
    read = reader.feed(bytes(stream))
    assert reader.failure is not None
    assert read == given[: len(read)], "what came before is whole"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_no_bytes_crash_it(stream: bytes) -> None:
    reader = FrameReader()
    reader.feed(stream)
    assert reader.failure is not None or reader.rest == stream


def test_what_is_before_a_failure_counts() -> None:
    reader = FrameReader()
    assert reader.feed(NO_HEADERS + ONE_HEADER[:-1] + b"\0") == [Frame({}, b"{'foo':'bar'}")]
    assert "checksum" in str(reader.failure)


def sealed(headers: bytes, *, length: int | None = None) -> bytes:
    """Make a frame with right checksums around these header bytes."""
    prelude = struct.pack(">II", 16 + len(headers) if length is None else length, len(headers))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers
    return body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(
    "headers",
    [b"\x01a\x63", b"\x05a", b"\x01a\x07\x00\x09b", b"\x01a\x07\x00\x01\xff", b"\x01a"],
    ids=["unknown type", "short name", "short value", "no UTF-8", "no type"],
)
def test_headers_that_cannot_be_read(headers: bytes) -> None:
    reader = FrameReader()
    assert reader.feed(sealed(headers)) == []
    assert "headers" in str(reader.failure)


def test_headers_of_all_types_are_skipped_but_texts() -> None:
    value = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    headers = b"".join(b"\x01%c%c" % (97 + kind, kind) + b"\0" * size for kind, size in value.items())
    headers += b"\x01y\x06\x00\x02ok" + b"\x01z\x07\x00\x02ok"
    assert FrameReader().feed(sealed(headers)) == [Frame({"z": "ok"}, b"")]


@pytest.mark.parametrize("length", [15, 2**31])
def test_impossible_lengths(length: int) -> None:
    reader = FrameReader()
    reader.feed(sealed(b"", length=length))
    assert "length" in str(reader.failure)
