"""Accounts that are contracts: a node of their chain is asked whether they accept a signature.

https://eips.ethereum.org/EIPS/eip-1271 and https://eips.ethereum.org/EIPS/eip-6492, over https://ethereum.org/en/developers/docs/apis/json-rpc/.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from gateway.errors import Unavailable
from gateway.upstream import Timeouts, UpstreamError
from gateway_wallet.undeployed import Undeployed, program

if TYPE_CHECKING:
    import logging

    from gateway.plugin import Context
    from gateway.secrets import Secret

_ACCEPTED: Final = bytes.fromhex("1626ba7e")
"""`isValidSignature(bytes32,bytes)`: what is called, and what a contract answers that accepts."""

_WORD: Final = 32
_YES: Final = _ACCEPTED.ljust(_WORD, b"\0")
_TIMEOUTS: Final = Timeouts(connect=4, first_byte=8, idle=4, total=12)
_MAX_ANSWER: Final = 64 * 1024
_OK: Final = 200
_REVERTED: Final = 3
"""The code of an error with which nodes say that the contract itself has refused."""


class NodeFailed(Exception):
    """A node did not answer, or not as it should. Says why, without its address, which may hold a key."""


class Contracts:
    """The nodes of the config, by the ids of their chains."""

    def __init__(self, context: Context, nodes: Mapping[int, Secret], *, log: logging.Logger) -> None:
        self._client = context.client
        self._nodes = nodes
        self._log = log
        self._known: set[int] = set()

    def __contains__(self, chain: int) -> bool:
        """Whether there is a node of that chain."""
        return chain in self._nodes

    async def accepts(self, chain: int, address: str, digest: bytes, signature: bytes | Undeployed) -> bool:
        """Whether the contract at an address accepts a signature over a digest now; of one that is not there, whether it would.

        Raises `Unavailable` when its node does not tell.
        """
        try:
            if chain not in self._known:
                await self.check(chain)
            if isinstance(signature, Undeployed):
                if await self._ask(chain, "eth_getCode", [address, "latest"]) == "0x":
                    return await self._would_accept(chain, address, digest, signature)
                signature = signature.signature
            call = {"to": address, "data": "0x" + calldata(digest, signature).hex()}
            answer = await self._ask(chain, "eth_call", [call, "latest"])
        except NodeFailed as error:
            self._log.warning("the node of chain %s: %s", chain, error)
            raise Unavailable(
                "The gateway cannot check signatures of contracts now, because the node of their chain does not answer as it "
                "should. Try again later."
            ) from None
        return answer == "0x" + _YES.hex()

    async def _would_accept(self, chain: int, address: str, digest: bytes, found: Undeployed) -> bool:
        """Let the node make the contract, and ask it, without a trace. Raises `NodeFailed`."""
        written = program(found, bytes.fromhex(address[2:]), calldata(digest, found.signature))
        answer = await self._ask(chain, "eth_call", [{"data": "0x" + written.hex()}, "latest"])
        return answer == "0x" + ((1).to_bytes(_WORD) + _WORD.to_bytes(_WORD) + _YES).hex()

    async def check(self, chain: int) -> None:
        """See that a node is of the chain that it is meant for. Raises `NodeFailed`."""
        answer = await self._ask(chain, "eth_chainId", [])
        if answer is None or answer.lower() != hex(chain):
            raise NodeFailed(f"it is not of chain {chain}, but says {str(answer)[:20]!r}")
        self._known.add(chain)

    async def _ask(self, chain: int, method: str, parameters: list[Any]) -> str | None:
        """Return a result that is a text; None when the contract has refused. Raises `NodeFailed`."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode()
        answer = _object(await self._post(self._nodes[chain].reveal(), body))
        error, result = answer.get("error"), answer.get("result")
        if isinstance(error, dict):
            told = cast("dict[str, Any]", error)
            words = str(told.get("message"))[:200]
            if told.get("code") == _REVERTED or "revert" in words.lower():
                return None
            raise NodeFailed(f"{method} failed: {told.get('code')} {words!r}")
        if not isinstance(result, str):
            raise NodeFailed(f"{method} was answered without a result")
        return result

    async def _post(self, url: str, body: bytes) -> bytes:
        headers = [(b"content-type", b"application/json")]
        try:
            response = await self._client.send(
                self._client.prepare("POST", url, headers), body, timeouts=_TIMEOUTS
            )
            try:
                content = bytearray()
                async for chunk in response:
                    content += chunk
                    if len(content) > _MAX_ANSWER:
                        raise NodeFailed(f"it answered with more than {_MAX_ANSWER} bytes")
            finally:
                response.close()
        except UpstreamError as error:
            raise NodeFailed(type(error).__name__) from None
        if response.status != _OK:
            raise NodeFailed(f"it answered with HTTP {response.status}")
        return bytes(content)


def calldata(digest: bytes, signature: bytes) -> bytes:
    """Encode a call of `isValidSignature` (https://docs.soliditylang.org/en/latest/abi-spec.html)."""
    padding = -len(signature) % _WORD
    head = digest + (2 * _WORD).to_bytes(_WORD) + len(signature).to_bytes(_WORD)
    return _ACCEPTED + head + signature + bytes(padding)


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise NodeFailed("it answered with something that is no JSON object")
    return cast("dict[str, Any]", value)
