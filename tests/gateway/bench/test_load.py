from __future__ import annotations

import socket
import threading

import pytest

from gateway.bench import load, payload

WHOLE = payload.request(payload.chat("m"))
STREAM = payload.request(payload.chat("m", stream=True))


@pytest.mark.parametrize("request_", [WHOLE, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize("rate", [0.0, 2000.0], ids=["closed loop", "open loop"])
def test_sends_as_many_requests_as_asked(upstream_port: int, request_: bytes, rate: float):
    result = load.run(upstream_port, request_, connections=4, rate=rate, count=50)
    assert (result["requests"], result["bad"]) == (50, 0)
    assert 0 < result["p50_us"] <= result["p99_us"] <= result["max_us"]
    assert 0 < result["first_byte_p50_us"] <= result["max_us"]


def test_stops_after_the_time(upstream_port: int):
    result = load.run(upstream_port, WHOLE, connections=2, seconds=0.05)
    assert result["requests"] > 0
    assert result["bad"] == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",  # a stream without its end
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut",
    ],
    ids=["status", "no [DONE]", "cut"],
)
def test_counts_what_is_not_a_good_answer(answer: bytes):
    def serve() -> None:
        for _ in range(connections):
            peer, _ = listener.accept()
            with peer:
                while peer.recv(1 << 16):
                    peer.sendall(answer)
                    if answer.endswith(b"cut"):
                        break

    connections = 4 if answer.endswith(b"cut") else 1  # the first, and one for each that was cut
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        result = load.run(listener.getsockname()[1], STREAM, connections=1, count=3)
        server.join()
    assert (result["requests"], result["bad"]) == (3, 3)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    "answer",
    [payload.answer(), payload.stream_head() + b"".join(payload.stream_frames())],
    ids=["whole", "stream"],
)
def test_answers_may_be_cut_anywhere(answer: bytes, size: int):
    ours, other = socket.socketpair()
    with ours, other:
        connection = load.Connection(ours)
        parts = [answer[at : at + size] for at in range(0, len(answer), size)]
        done = [connection.feed(part) for part in parts]
    assert done == [False] * (len(parts) - 1) + [True]
    assert connection.ok
