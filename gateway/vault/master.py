"""Master keys: 32 random bytes in base64, from the settings or from a command."""

from __future__ import annotations

import asyncio
import base64
import binascii
import importlib.util
import os
from collections.abc import Sequence
from typing import Final

from gateway.errors import ConfigError
from gateway.vault.envelope import KEY_BYTES, MasterKey

COMMAND_SECONDS: Final = 30.0
_SHOWN: Final = 200
_MAKE_ONE: Final = "`gateway vault init` makes one"


def new_master_key() -> str:
    """Make a master key, in base64."""
    return base64.b64encode(os.urandom(KEY_BYTES)).decode()


def read_keys(texts: Sequence[str], where: str) -> list[MasterKey]:
    """Read keys in base64; the first is to seal. `where` is the setting. Raises `ConfigError`."""
    if texts and importlib.util.find_spec("cryptography") is None:
        raise ConfigError([f"{where}: the vault needs one more package: pip install 'asgi-gateway[vault]'"])
    return [MasterKey(_decoded(text, where)) for text in texts]


async def run_command(command: Sequence[str], where: str) -> list[str]:
    """Run a command that prints master keys, one a line. Raises `ConfigError`; what it printed is never shown."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except OSError as error:
        raise ConfigError([f"{where}: {command[0]} cannot be run: {error.strerror}"]) from None
    try:
        async with asyncio.timeout(COMMAND_SECONDS):
            printed, complaint = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise ConfigError([f"{where}: {command[0]} has not ended after {COMMAND_SECONDS:g} s"]) from None
    if process.returncode != 0:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2][:_SHOWN]
        raise ConfigError([f"{where}: {command[0]} ended with status {process.returncode}: {last}"])
    keys = printed.decode("ascii", errors="replace").split()
    if not keys:
        raise ConfigError([f"{where}: {command[0]} printed nothing; it must print a master key"])
    return keys


def _decoded(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError([f"{where}: must be {KEY_BYTES} bytes in base64; {_MAKE_ONE}"]) from None
    if len(key) != KEY_BYTES:
        raise ConfigError(
            [f"{where}: must be {KEY_BYTES} bytes in base64, and is {len(key)} bytes; {_MAKE_ONE}"]
        )
    return key
