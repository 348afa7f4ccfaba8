"""An Ethereum wallet: signs what it is shown."""

from __future__ import annotations

from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak


class EthereumWallet:
    def __init__(self, seed: int = 1) -> None:
        self._key = PrivateKey(seed.to_bytes(32))
        self.address = self._key.public_key.to_checksum_address()

    def sign(self, message: str) -> str:
        data = message.encode()
        signature = self._key.sign_msg_hash(keccak(b"\x19Ethereum Signed Message:\n%d" % len(data) + data))
        return "0x" + (signature.r.to_bytes(32) + signature.s.to_bytes(32) + bytes([27 + signature.v])).hex()
