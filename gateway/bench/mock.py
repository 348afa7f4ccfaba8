"""A mock upstream that speaks OpenAI's chat completions and costs as little as it can.

    python -m gateway.bench.mock --port 0 --gap 10

It prints the port it listens on. A request with `"stream":true` gets 50 events, one every `--gap` milliseconds (0: all
at once); any other gets one JSON answer at once.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections import deque
from typing import cast

from gateway.bench import payload

TICK_SECONDS = 0.001
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_STREAMS = re.compile(rb'"stream": ?true')


class Upstream:
    """What all connections share: the answers, and one clock for all streams."""

    def __init__(self, gap_seconds: float) -> None:
        self.answer = payload.answer()
        self._head = payload.stream_head()
        self._frames = payload.stream_frames()
        self._gap = gap_seconds
        self._due: deque[tuple[float, int, Connection]] = deque()
        """When to send which frame to whom. The gap is the same for all, so appending keeps it sorted."""
        self._ticking = False

    def stream(self, connection: Connection) -> None:
        """Begin a streamed answer."""
        if not self._gap:
            connection.write(self._head + b"".join(self._frames))
            return
        connection.write(self._head)
        loop = asyncio.get_running_loop()
        self._due.append((loop.time() + self._gap, 0, connection))
        if not self._ticking:
            self._ticking = True
            loop.call_later(TICK_SECONDS, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        due, frames, now = self._due, self._frames, loop.time()
        while due and due[0][0] <= now:
            _, number, connection = due.popleft()
            if connection.closed:
                continue
            connection.write(frames[number])
            if number + 1 < len(frames):
                due.append((now + self._gap, number + 1, connection))
        self._ticking = bool(due)
        if due:
            loop.call_later(TICK_SECONDS, self._tick, loop)


class Connection(asyncio.Protocol):
    """One client connection; takes requests one after the other."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._buffer = b""
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.write = cast("asyncio.Transport", transport).write

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        self.closed = True

    def data_received(self, data: bytes) -> None:
        self._buffer = data = self._buffer + data if self._buffer else data
        while (end := data.find(b"\r\n\r\n") + 4) > 3:  # noqa: PLR2004 - the length of the empty line
            whole = _end_of_body(data, end)
            if whole > len(data):
                return
            if _STREAMS.search(data, end, whole):
                self._upstream.stream(self)
            else:
                self.write(self._upstream.answer)
            self._buffer = data = data[whole:]


def _end_of_body(data: bytes, body: int) -> int:
    """Where the request ends whose body begins at `body`; beyond the data when it is not all there."""
    if length := _LENGTH.search(data, 0, body):
        return body + int(length[1])
    if _CHUNKED.search(data, 0, body):
        last = data.find(b"\r\n0\r\n\r\n", body - 2)
        return len(data) + 1 if last < 0 else last + 7
    return body


async def serve(host: str, port: int, gap_seconds: float) -> asyncio.Server:
    """Listen; the caller closes the server."""
    upstream = Upstream(gap_seconds)
    return await asyncio.get_running_loop().create_server(
        lambda: Connection(upstream), host, port, backlog=4096
    )


async def _main(port: int, gap_seconds: float) -> None:
    server = await serve("127.0.0.1", port, gap_seconds)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(prog="python -m gateway.bench.mock", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--gap", type=float, default=10, help="milliseconds between the events of a stream")
    arguments = parser.parse_args()
    try:
        from uvloop import new_event_loop  # noqa: PLC0415 - optional
    except ImportError:
        new_event_loop = asyncio.new_event_loop
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_main(arguments.port, arguments.gap / 1000))


if __name__ == "__main__":
    main()
