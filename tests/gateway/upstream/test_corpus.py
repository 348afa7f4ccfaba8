"""Answers as real servers get them wrong: one file each under `corpus`, with what must become of it beside it.

`NAME.http` holds the raw bytes. `NAME.toml` says what follows them (`then`: nothing, `close` or `reset`), and what
the client makes of it: `status`, `body`, and either the name of the `error` or whether the connection is `reused`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.upstream import Client, Limits, Prepared, Timeouts, UpstreamError

from .server import Peer, closing, serve

CORPUS = Path(__file__).parent / "corpus"
CASES = sorted(str(path.relative_to(CORPUS).with_suffix("")) for path in CORPUS.glob("*/*.http"))
SPLITS: dict[str, Callable[[bytes], list[bytes]]] = {
    "whole": lambda raw: [raw],
    "halves": lambda raw: [raw[: len(raw) // 2], raw[len(raw) // 2 :]],
    "bytes": lambda raw: [raw[n : n + 1] for n in range(len(raw))],
}


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("name", CASES)
async def test_case(name: str, split: str) -> None:
    raw = (CORPUS / f"{name}.http").read_bytes()
    expected: dict[str, Any] = tomllib.loads((CORPUS / f"{name}.toml").read_text())
    then, method = expected.pop("then", None), expected.pop("method", "POST")

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(*SPLITS[split](raw))
        if then == "close":
            peer.close()
        elif then == "reset":
            peer.reset()

    client = Client(
        limits=Limits(max_connections=1, max_head_bytes=4096, max_body_bytes=8192),
        timeouts=Timeouts(idle=1, first_byte=5),
    )
    async with serve(script) as server, closing(client):
        prepared = client.prepare(method, server.url())
        found = await outcome(client, prepared)
        if (
            expected.get("error") != "BodyTooLarge"
        ):  # whose connection is good if all the body had come already
            await server.until_open(int(expected.get("reused", False)))
            assert prepared.pool._size == len(server.open)
    if "error" in expected:
        assert isinstance(found, UpstreamError)
        assert type(found).__name__ == expected["error"]
        assert f"127.0.0.1:{server.port}" in found.message
    else:
        assert found == (expected["status"], expected["body"])


async def outcome(client: Client, prepared: Prepared) -> tuple[int, str] | UpstreamError:
    try:
        response = await client.send(prepared)
        return response.status, (await response.read()).decode()
    except UpstreamError as error:
        return error


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("cut/") and "reset" not in name])
async def test_what_came_before_the_cut_is_handed_out_and_the_end_is_an_error(name: str) -> None:
    raw = (CORPUS / f"{name}.http").read_bytes()
    expected: dict[str, Any] = tomllib.loads((CORPUS / f"{name}.toml").read_text())

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(raw)
        peer.close()

    got = b""
    async with serve(script) as server, closing(Client()) as client:
        try:
            async for chunk in await client.send(client.prepare("POST", server.url())):
                got += chunk
        except UpstreamError:
            assert got.decode() == expected.get("body", "")
        else:
            pytest.fail("a clean end")
