"""A load generator: repeats one HTTP request over many connections and prints one JSON line.

    python -m gateway.bench.load PORT REQUEST_FILE --connections 32 --seconds 2 [--rate 300] [--count 1000]

Closed loop: every connection sends its next request as soon as it has its answer. Open loop (`--rate`): requests are sent
at fixed moments whatever the answers do, and latency counts from those moments, so that a slow server cannot hide the
requests it kept waiting. Plain sockets and one selector: a tenth of the work of an HTTP client.
"""

from __future__ import annotations

import argparse
import json
import re
import select
import selectors
import socket
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 30
"""How long to wait for the last answers."""
READ_BYTES = 1 << 18
TAIL_BYTES = 64
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_END_OF_CHUNKS = b"\r\n0\r\n\r\n"


class Connection:
    """One connection and the answer it is reading."""

    __slots__ = ("began", "first_at", "head", "left", "ok", "sock", "tail")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.begin(0.0)

    def begin(self, moment: float) -> None:
        """Expect a new answer, to a request that was due at `moment`."""
        self.began = moment
        self.first_at = 0.0
        self.head = b""
        self.left: int | None = None
        """Bytes of the body to come; None while unknown, -1 for a chunked body."""
        self.tail = b"\r\n"
        self.ok = False

    def feed(self, data: bytes) -> bool:
        """Take in bytes of the answer; True when it is complete."""
        if self.left is None:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return False
            self.ok = self.head.startswith(b"HTTP/1.1 200")
            length = _LENGTH.search(self.head, 0, end + 2)
            data = self.head[end + 4 :]
            if length is not None:
                self.left = int(length[1])
            elif _CHUNKED.search(self.head, 0, end + 2):
                self.left = -1
            else:
                self.left = 0
        if data and not self.first_at:
            self.first_at = time.perf_counter()
        if self.left >= 0:
            self.left -= len(data)
            return self.left <= 0
        self.tail = (self.tail + data)[-TAIL_BYTES:]
        return self.tail.endswith(_END_OF_CHUNKS)


class Load:
    """One pass of load on a port of this machine."""

    def __init__(self, port: int, request: bytes, connections: int) -> None:
        self._port = port
        self._request = request
        self._streams = b'"stream":true' in request
        self._selector = selectors.DefaultSelector()
        self._idle = deque(self._open() for _ in range(connections))
        self.latencies: list[float] = []
        self.first_bytes: list[float] = []
        self.lateness: list[float] = []
        """How long after its moment each request of an open loop was sent."""
        self.sent = 0
        self.bad = 0

    def _open(self) -> Connection:
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        return connection

    def _send(self, connection: Connection, moment: float) -> None:
        connection.begin(moment)
        self.sent += 1
        try:
            connection.sock.sendall(self._request)
        except OSError:
            self._lost(connection)

    def _lost(self, connection: Connection) -> None:
        """Replace a connection that broke while it was wanted."""
        self._selector.unregister(connection.sock)
        connection.sock.close()
        if connection.began:
            self.bad += 1
            self.latencies.append(time.perf_counter() - connection.began)
        self._idle.append(self._open())

    def _read(self, connection: Connection) -> bool:
        """Read what is there; True when an answer is complete."""
        try:
            data = connection.sock.recv(READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._lost(connection)
            return False
        if not connection.began or not connection.feed(data):
            return False
        now = time.perf_counter()
        self.latencies.append(now - connection.began)
        self.first_bytes.append((connection.first_at or now) - connection.began)
        connection.began = 0.0
        if not connection.ok or (self._streams and b"[DONE]" not in connection.tail):
            self.bad += 1
        return True

    def closed(self, seconds: float, count: int) -> float:
        """Keep every connection busy; give the seconds it took."""
        began = time.perf_counter()
        end = began + seconds
        while True:
            now = time.perf_counter()
            more = now < end and self.sent < count
            while more and self._idle and self.sent < count:
                self._send(self._idle.popleft(), time.perf_counter())
            if not more and (len(self.latencies) >= self.sent or now > end + PATIENCE_SECONDS):
                return now - began
            for key, _ in self._selector.select(0.1):
                if self._read(key.data):
                    if more and self.sent < count:
                        self._send(key.data, time.perf_counter())
                    else:
                        self._idle.append(key.data)

    def open(self, rate: float, seconds: float, count: int) -> float:
        """Send at fixed moments, `rate` per second; give the seconds it took."""
        began = time.perf_counter()
        total = min(count, int(rate * seconds))
        while True:
            now = time.perf_counter()
            while self.sent < total and self._idle and began + self.sent / rate <= now:
                due = began + self.sent / rate
                self.lateness.append(now - due)
                self._send(self._idle.popleft(), due)
            if self.sent >= total and len(self.latencies) >= total:
                return now - began
            if now > began + seconds + PATIENCE_SECONDS:
                return now - began
            due = began + self.sent / rate if self.sent < total and self._idle else now + 0.1
            self._wait(due - time.perf_counter())
            for key, _ in self._selector.select(0):
                if self._read(key.data):
                    self._idle.append(key.data)

    def _wait(self, seconds: float) -> None:
        """Wait for an answer. A selector rounds up to milliseconds; `select` on the selector itself does not."""
        if seconds > 0:
            select.select([self._selector], [], [], seconds)

    def close(self) -> None:
        """Close all connections."""
        for key in list(self._selector.get_map().values()):
            key.data.sock.close()
        self._selector.close()

    def report(self, seconds: float) -> dict[str, Any]:
        """Summarise the pass. Times are in microseconds."""
        unanswered = self.sent - len(self.latencies)
        return {
            "requests": len(self.latencies),
            "bad": self.bad + unanswered,
            "seconds": round(seconds, 4),
            "per_second": round(len(self.latencies) / seconds, 1),
            "p50_us": _percentile(self.latencies, 50),
            "p99_us": _percentile(self.latencies, 99),
            "max_us": _percentile(self.latencies, 100),
            "first_byte_p50_us": _percentile(self.first_bytes, 50),
            "first_byte_p99_us": _percentile(self.first_bytes, 99),
            "late_p99_us": _percentile(self.lateness, 99),
        }


def _percentile(values: list[float], percent: int) -> float:
    if not values:
        return 0.0
    return round(sorted(values)[(len(values) - 1) * percent // 100] * 1e6, 1)


def run(
    port: int,
    request: bytes,
    *,
    connections: int,
    seconds: float = 0.0,
    rate: float = 0.0,
    count: int = 0,
) -> dict[str, Any]:
    """Run one pass: for so many seconds, or so many requests, or what comes first."""
    load = Load(port, request, connections)
    try:
        limit, most = seconds or float("inf"), count or sys.maxsize
        took = load.open(rate, limit if seconds else most / rate, most) if rate else load.closed(limit, most)
        return load.report(took)
    finally:
        load.close()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m gateway.bench.load", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("request", type=Path, help="file with the whole HTTP request")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0, help="requests per second, for an open loop")
    parser.add_argument("--count", type=int, default=0)
    arguments = parser.parse_args()
    result = run(
        arguments.port,
        arguments.request.read_bytes(),
        connections=arguments.connections,
        seconds=arguments.seconds,
        rate=arguments.rate,
        count=arguments.count,
    )
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
