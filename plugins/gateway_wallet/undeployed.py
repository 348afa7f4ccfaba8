"""Contracts that are not on their chain yet, but whose address is known: https://eips.ethereum.org/EIPS/eip-6492.

Their signatures say how the contract is made. A node is asked what would come of it if it were made, and then asked.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

_MARK: Final = bytes.fromhex("6492" * 16)
"""What these signatures end with."""
_WORD: Final = 32
_ADDRESS: Final = 20
_HEAD: Final = 3 * _WORD


class Undeployed(Struct, frozen=True):
    """What such a signature holds."""

    factory: bytes
    """The address of who makes the contract: 20 bytes."""
    making: bytes
    """What it is called with."""
    signature: bytes
    """What the contract takes for a signature."""


def undeployed(signature: bytes) -> Undeployed | None:
    """Read a signature of a contract that may not be there yet; None for any other. Raises ValueError for a broken one."""
    if not signature.endswith(_MARK):
        return None
    data = signature.removesuffix(_MARK)
    if len(data) < _HEAD or any(data[: _WORD - _ADDRESS]):
        raise ValueError("it ends as EIP-6492 has it, but does not begin with the address of a factory")
    making, signed = (
        _bytes_at(data, int.from_bytes(data[place : place + _WORD])) for place in (_WORD, 2 * _WORD)
    )
    return Undeployed(data[_WORD - _ADDRESS : _WORD], making, signed)


def program(found: Undeployed, address: bytes, question: bytes) -> bytes:
    """Write a program for the Ethereum virtual machine that makes the contract, and asks it.

    It is meant for `eth_call` without an address: what it returns is then the answer. That is three words: 1 when the
    contract answered, the bytes of its answer, and the first word of them.
    """
    code = _code(found, address, len(question), 0)
    return _code(found, address, len(question), len(code)) + found.making + question


def _code(found: Undeployed, address: bytes, asked: int, length: int) -> bytes:
    making = len(found.making)
    return b"".join(
        (
            *(_push(making), _push(length), _push(0), b"\x39"),  # CODECOPY: what the factory is called with
            *(_push(0), _push(0), _push(making), _push(0), _push(0)),  # no answer wanted, all of it, no money
            *(b"\x73", found.factory, b"\x5a\xf1\x50"),  # CALL with all gas; whether it worked will show
            *(_push(asked), _push(length + making), _push(0), b"\x39"),  # CODECOPY: the question
            *(_push(_WORD), _push(2 * _WORD), _push(asked), _push(0)),  # a word of answer as the third
            *(b"\x73", address, b"\x5a\xfa"),  # STATICCALL
            *(_push(0), b"\x52"),  # MSTORE: whether it worked is the first word
            *(b"\x3d", _push(_WORD), b"\x52"),  # RETURNDATASIZE, MSTORE: how long the answer is, the second
            *(_push(_HEAD), _push(0), b"\xf3"),  # RETURN
        )
    )


def _push(number: int) -> bytes:
    """PUSH2: always as long, so that places in the program do not depend on numbers."""
    return b"\x61" + number.to_bytes(2)


def _bytes_at(data: bytes, place: int) -> bytes:
    length = int.from_bytes(data[place : place + _WORD])
    start = place + _WORD
    if place % _WORD or start + length > len(data):
        raise ValueError("it ends as EIP-6492 has it, but is cut short")
    return data[start : start + length]
