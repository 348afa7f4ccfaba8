"""A node of an Ethereum chain, as far as contracts that check signatures go: JSON-RPC, on a loopback address."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature

from .ethereum_machine import Machine

ACCEPTED = "0x1626ba7e" + "0" * 56
REFUSED = "0xffffffff" + "0" * 56
Contract = Callable[[bytes, bytes], str]
"""What it answers for a digest and a signature: a result in hex."""


class Reverted(Exception):
    """The contract ends the call."""


def owned_by(address: str) -> Contract:
    """A contract that accepts what one key has signed."""

    def check(digest: bytes, signature: bytes) -> str:
        if len(signature) != 66 or signature[0] != 7:  # in a shape of its own, as contracts have them
            raise Reverted
        vrs = (
            signature[65] - 27,
            int.from_bytes(signature[1:33]),
            int.from_bytes(signature[33:65]),
        )
        try:
            signer = Signature(vrs=vrs).recover_public_key_from_msg_hash(digest).to_checksum_address()
        except BadSignature:
            return REFUSED
        return ACCEPTED if signer == address else REFUSED

    return check


class Node:
    """What it answers can be changed at any time."""

    def __init__(self) -> None:
        self.chain = "0x1"
        self.contracts: dict[str, Contract] = {}
        self.factories: dict[bytes, dict[bytes, tuple[str, Contract]]] = {}
        """By address: what each makes for what it is called with."""
        self.calls: list[tuple[str, str]] = []
        """Address and data of each call."""
        self.instead: tuple[int, bytes] | None = None
        """Status and body for everything."""
        self.url = ""

    def answer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One request."""
        told = {"jsonrpc": "2.0", "id": asked["id"]}
        if asked["method"] == "eth_chainId":
            return {**told, "result": self.chain}
        if asked["method"] == "eth_getCode":
            return {**told, "result": "0x600160" if asked["params"][0] in self.contracts else "0x"}
        assert asked["method"] == "eth_call"
        call, block = asked["params"]
        assert block == "latest"
        if "to" not in call:
            return {**told, "result": "0x" + self._run(bytes.fromhex(call["data"][2:])).hex()}
        self.calls.append((call["to"], call["data"]))
        contract = self.contracts.get(call["to"])
        if contract is None:
            return {**told, "result": "0x"}
        try:
            return {**told, "result": _put(contract, bytes.fromhex(call["data"][2:]))}
        except Reverted:
            return {**told, "error": {"code": 3, "message": "execution reverted"}}

    def _run(self, program: bytes) -> bytes:
        """Run a program; what it makes is forgotten."""
        made: dict[bytes, Contract] = {}

        def call(address: bytes, data: bytes) -> tuple[bool, bytes]:
            if data not in self.factories.get(address, {}):
                return False, b""
            name, contract = self.factories[address][data]
            made[bytes.fromhex(name[2:])] = contract
            return True, bytes.fromhex(name[2:]).rjust(32, b"\0")

        def static_call(address: bytes, data: bytes) -> tuple[bool, bytes]:
            if address not in made:
                return True, b""
            try:
                return True, bytes.fromhex(_put(made[address], data)[2:])
            except Reverted:
                return False, bytes.fromhex(ACCEPTED[2:])

        return Machine(program, call, static_call).run()


def _put(contract: Contract, data: bytes) -> str:
    """Call `isValidSignature`."""
    size = int.from_bytes(data[68:100])
    assert (data[:4].hex(), int.from_bytes(data[36:68]), len(data)) == (
        "1626ba7e",
        64,
        100 + -(-size // 32) * 32,
    )
    return contract(data[4:36], data[100 : 100 + size])


@contextmanager
def node() -> Generator[Node]:
    """A node that runs."""
    made = Node()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, body = made.instead or (200, json.dumps(made.answer(asked)).encode())
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}/v3/not-a-real-key"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
