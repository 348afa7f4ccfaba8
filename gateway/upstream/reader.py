"""Turns bytes into responses. Does no I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

if TYPE_CHECKING:
    from gateway.upstream.response import Response

_WATCHED = frozenset((b"content-length", b"transfer-encoding", b"content-encoding"))


class MalformedError(Exception):
    """The bytes are no response that we accept; the text says why, in words that hold nothing of the peer's."""


class _StopParsing(Exception):
    """Leaves the parser from within one of its callbacks."""


class Reader:
    """Parses the responses of one connection, one after the other. Its `on_…` methods are called by httptools.

    llhttp refuses by itself: bad tokens and line ends, folded headers, several or non-numeric content-lengths,
    content-length beside transfer-encoding, bad chunk sizes. The rest is refused here: a transfer-encoding other
    than `chunked` (or in HTTP/1.0), a content-encoding, 101, a head that is too large.
    """

    __slots__ = (
        "_headers",
        "_is_head",
        "_limit",
        "_parser",
        "_problem",
        "_reason",
        "_response",
        "_sized",
        "_without_content",
        "complete",
        "on_body",
        "pieces",
        "reusable",
        "until_close",
    )

    _response: Response

    def __init__(self, max_head_bytes: int) -> None:
        self.pieces: list[bytes] = []
        """Content that the last `feed` brought; the caller takes it away."""
        self.on_body = self.pieces.append
        self.complete = True
        """The response has ended."""
        self.reusable = False
        """The connection may carry another exchange; meaningful once complete."""
        self.until_close = False
        """The head says that the body ends where the connection ends (RFC 9112 §6.3, rule 8)."""
        self._limit = max_head_bytes
        self._headers: list[tuple[bytes, bytes]] = []
        self._reason = b""
        self._sized = False
        self._is_head = False
        self._problem = ""
        self._without_content = 0
        self._parser = HttpResponseParser(self)

    @property
    def untouched(self) -> bool:
        """Whether not a single byte has come since `begin`."""
        return self._without_content == 0 and self._response.status == 0

    def begin(self, response: Response, *, is_head: bool) -> None:
        """Expect the response to a request. Its status, reason and headers are filled in when the head is there."""
        self._response = response
        self._headers = []
        self._reason = b""
        self._sized = False
        self._is_head = is_head
        self._without_content = 0
        self.complete = self.reusable = self.until_close = False

    def feed(self, data: bytes) -> None:
        """Parse a packet. Raise MalformedError; what came before the fault is in `pieces` all the same."""
        self._without_content += len(data)
        in_head = self._response.status == 0
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.reusable = False
            if not self.complete:
                raise MalformedError(self._problem or str(error)) from None
        if in_head and self._response.status:
            self._check_head()
            self._without_content = 0
        elif self.pieces:
            self._without_content = 0
        elif self._without_content > self._limit and not self.complete:
            raise MalformedError(f"the {'head' if in_head else 'framing'} exceeds {self._limit} bytes")

    def close(self) -> None:
        """Let go of the parser, which holds on to this reader: else only the collector could free the two."""
        del self._parser

    def _check_head(self) -> None:
        if self._without_content > self._limit:  # else no need to count
            size = sum(len(name) + len(value) + 4 for name, value in self._headers)
            if size > self._limit:
                raise MalformedError(f"the head exceeds {self._limit} bytes")

    def on_message_begin(self) -> None:
        if self.complete:
            raise _StopParsing  # bytes after the end

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._response.status:
            return  # a trailer
        name = name.lower()
        self._headers.append((name, value))
        if name in _WATCHED:
            self._watch(name, value)

    def _watch(self, name: bytes, value: bytes) -> None:
        if name == b"content-encoding":
            if value.lower() not in (b"identity", b""):
                self._refuse("a content-encoding that was not asked for")
            return
        if name == b"transfer-encoding":
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
        response = self._response
        response.status = status
        response.reason = self._reason
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
            self._reason = b""
            self._sized = False
