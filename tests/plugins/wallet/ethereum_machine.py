"""As much of the Ethereum virtual machine as programs need that call contracts: https://www.evm.codes."""

from __future__ import annotations

from collections.abc import Callable

Called = Callable[[bytes, bytes], tuple[bool, bytes]]
"""What comes of a call: for an address and data, whether it worked, and what it returned."""


class Machine:
    """Runs one program."""

    def __init__(self, program: bytes, call: Called, static_call: Called) -> None:
        self._program = program
        self._calls = {0xF1: call, 0xFA: static_call}
        self._stack: list[int] = []
        self._memory = bytearray(65_536)
        self._returned = b""

    def run(self) -> bytes:
        """What the program returns."""
        place = 0
        while True:
            code = self._program[place]
            if 0x60 <= code <= 0x7F:  # PUSH1 … PUSH32
                width = code - 0x5F
                self._stack.append(int.from_bytes(self._program[place + 1 : place + 1 + width]))
                place += width
            elif code == 0xF3:  # RETURN
                start, size = self._pop(2)
                return bytes(self._memory[start : start + size])
            else:
                self._step(code)
            place += 1

    def _step(self, code: int) -> None:
        match code:
            case 0x39:  # CODECOPY
                to, start, size = self._pop(3)
                self._memory[to : to + size] = self._program[start : start + size].ljust(size, b"\0")
            case 0x3D:  # RETURNDATASIZE
                self._stack.append(len(self._returned))
            case 0x50:  # POP
                self._pop(1)
            case 0x52:  # MSTORE
                to, value = self._pop(2)
                self._memory[to : to + 32] = value.to_bytes(32)
            case 0x5A:  # GAS
                self._stack.append(10**7)
            case 0xF1 | 0xFA:  # CALL, STATICCALL
                _, address, *value, start, size, to, most = self._pop(7 if code == 0xF1 else 6)
                assert not any(value)
                worked, self._returned = self._calls[code](
                    address.to_bytes(20), bytes(self._memory[start : start + size])
                )
                answer = self._returned[:most]
                self._memory[to : to + len(answer)] = answer
                self._stack.append(worked)
            case _:
                raise AssertionError(f"what is {code:#x}?")

    def _pop(self, count: int) -> list[int]:
        return [self._stack.pop() for _ in range(count)]
