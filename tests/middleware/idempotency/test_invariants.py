"""What holds for all answers and all forms."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from gateway.protocols import Incoming
from gateway.types import Principal, RawHeaders
from gateway.wire.multipart import NewField, write
from gateway_idempotency.asked import read
from gateway_idempotency.recording import Recording


@given(pieces=st.lists(st.binary(max_size=20), max_size=8), status=st.integers(200, 599), early=st.booleans())
async def test_whoever_follows_gets_what_was_sent(pieces: list[bytes], status: int, early: bool) -> None:
    recording = Recording(1000)
    got: list[Message] = []

    async def send(message: Message) -> None:
        got.append(message)
        await asyncio.sleep(0)

    following = asyncio.create_task(recording.follow(send))
    if early:
        await asyncio.sleep(0)
    recording.note({"type": "http.response.start", "status": status, "headers": [(b"a", b"b")]})
    for piece in pieces:
        recording.note({"type": "http.response.body", "body": piece, "more_body": True})
        if early:
            await asyncio.sleep(0)
    recording.end(whole=True)
    assert await following
    stored = Recording(1000)
    stored.fill(status, recording.encoded())
    live, got = got, []
    assert await stored.follow(send)
    assert live == got
    assert (live[0]["status"], live[0]["headers"][0]) == (status, (b"a", b"b"))
    assert b"".join(message["body"] for message in live[1:]) == b"".join(pieces)
    assert [message["more_body"] for message in live[1:]][-1] is False


class Sent(Incoming):
    """A request as it arrives."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self.method, self.path, self.client = "POST", "/v1/images/edits", None
        self.headers = {b"idempotency-key": b"k", b"content-type": content_type.encode()}
        self._body = body

    @property
    def header_list(self) -> RawHeaders:
        return [*self.headers.items()]

    @property
    def target(self) -> bytes:
        return b"/v1/images/edits"

    async def body(self) -> bytes:
        return self._body


FIELDS = st.lists(
    st.builds(
        NewField, st.sampled_from("ab"), st.binary(max_size=6), st.sampled_from([None, "f"]), st.none()
    ),
    min_size=1,
    max_size=3,
)


@given(one=FIELDS, other=FIELDS)
async def test_forms_are_the_same_when_their_fields_are(one: list[NewField], other: list[NewField]) -> None:
    who = Principal(tenant="t", authenticator="x")

    async def fingerprint(fields: list[NewField], boundary: str) -> bytes:
        body, kind = write(fields)
        standing = kind.partition("boundary=")[2]
        body, kind = body.replace(standing.encode(), boundary.encode()), kind.replace(standing, boundary)
        return (await read(Sent(body, kind), who)).fingerprint

    assert await fingerprint(one, "first-boundary") == await fingerprint(one, "second-boundary")
    assert (await fingerprint(one, "b") == await fingerprint(other, "b")) == (one == other)
