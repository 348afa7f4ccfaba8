"""Turns bytes into responses. Does no I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

REFUSED: Final = (HttpParserError, HttpParserUpgrade)
"""What `Reader.parse` raises."""

if TYPE_CHECKING:
    from gateway.upstream.response import Response

_WATCHED = frozenset((b"transfer-encoding", b"content-encoding"))


class _StopParsing(Exception):
    """Leaves the parser from within one of its callbacks."""


class Reader:
    """Parses the responses of one connection, one after the other. Its `on_…` methods are called by httptools.

    llhttp refuses by itself: bad tokens and line ends, folded headers, several or non-numeric content-lengths,
    content-length beside transfer-encoding, bad chunk sizes. The rest is refused here: a transfer-encoding other
    than `chunked` (or in HTTP/1.0), a content-encoding, 101, a head that is too large.
    """

    __slots__ = (
        "_expected",
        "_headers",
        "_is_head",
        "_parser",
        "_problem",
        "_response",
        "_sized",
        "complete",
        "limit",
        "on_body",
        "on_message_begin",
        "parse",
        "pieces",
        "reusable",
        "until_close",
        "without_content",
    )

    _response: Response

    def __init__(self, max_head_bytes: int) -> None:
        self.pieces: list[bytes] = []
        """Content that the last packet brought; the caller takes it away."""
        self.on_body = self.pieces.append
        self.complete = True
        """The response has ended."""
        self.reusable = False
        """The connection may carry another exchange; meaningful once complete."""
        self.until_close = False
        """The head says that the body ends where the connection ends (RFC 9112 §6.3, rule 8)."""
        self.limit = max_head_bytes
        """Of bytes without content."""
        self.without_content = 0
        """Bytes that have come since `begin`, the head or the last content; counted by the caller, before it parses them."""
        self._headers: list[tuple[bytes, bytes]] = []
        self._sized = False
        self._is_head = False
        self._problem = ""
        self._expected: list[None] = []
        """Holds one entry while a message may begin."""
        self.on_message_begin = self._expected.pop  # raises, and so leaves the parser, at bytes after the end
        self._parser = HttpResponseParser(self)
        self.parse: Callable[[bytes], None] = self._parser.feed_data
        """Parses a packet. Raises one of `REFUSED`; what came before the fault is in `pieces` all the same."""

    @property
    def untouched(self) -> bool:
        """Whether not a single byte has come since `begin`."""
        return self.without_content == 0 and self._response.status == 0

    def begin(self, response: Response, *, is_head: bool) -> None:
        """Expect the response to a request. Its status and headers are filled in when the head is there."""
        self._response = response
        self._headers = []
        self._sized = False
        self._is_head = is_head
        self._expected.append(None)
        self.without_content = 0
        self.complete = self.reusable = self.until_close = False

    def fault(self, error: Exception) -> str | None:
        """Say what is wrong with a packet that was refused; None where that is only what follows the end."""
        self.reusable = False
        return None if self.complete else self._problem or str(error)

    def excess(self) -> str:
        """Say what exceeds the limit."""
        return f"the {'framing' if self._response.status else 'head'} exceeds {self.limit} bytes"

    def close(self) -> None:
        """Let go of the parser, which holds on to this reader: else only the collector could free the two."""
        del self._parser, self.parse

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response.status:
            return  # a trailer
        name = name.lower()
        self._headers.append((name, value))
        if name == b"content-length":
            self._sized = True
        elif name in _WATCHED:
            self._watch(name, value)

    def _watch(self, name: bytes, value: bytes) -> None:
        if name == b"content-encoding":
            if value.lower() not in (b"identity", b""):
                self._refuse("a content-encoding that was not asked for")
            return
        if self._sized or value.lower() != b"chunked":
            self._refuse("a transfer-encoding other than chunked")
        if self._parser.get_http_version() != "1.1":
            self._refuse("a transfer-encoding in another version than HTTP/1.1")
        self._sized = True

    def _refuse(self, problem: str) -> None:
        self._problem = problem
        raise _StopParsing

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:  # noqa: PLR2004 - interim answers, RFC 9110 §15.2
            if status < 100 or status == 101:  # noqa: PLR2004
                self._refuse(f"status {status}, which was not asked for")
            return
        if status > 599:  # noqa: PLR2004 - RFC 9110 §15: of no known class, so nobody could pass it on
            self._refuse(f"status {status}, which HTTP does not know")
        response = self._response
        if self.without_content > self.limit:  # else no need to count
            size = sum(len(name) + len(value) + 4 for name, value in self._headers)
            if size > self.limit:
                self._refuse(self.excess())
        self.without_content = 0
        response.status = status
        response.headers = self._headers
        if self._is_head:
            self.complete = True
            raise _StopParsing  # llhttp cannot know that no body follows, so this connection is not used again
        self.until_close = not self._sized

    def on_message_complete(self) -> None:
        if self._response.status:
            self.complete = True
            self.reusable = self._parser.should_keep_alive()
        else:  # an interim answer
            self._headers = []
            self._sized = False
            self._expected.append(None)
