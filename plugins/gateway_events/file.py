"""`sink.file`: events as lines of JSON in a file that is rotated."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from msgspec.json import encode
from pydantic import Field

from gateway_events.event import EventsConfig
from gateway_events.plugin import EventSink

_BLOCK: Final = 64 * 1024


class FileConfig(EventsConfig):
    """Settings of `sink.file`."""

    path: Path = Field(
        description="The file. When it is full or its day is over it is renamed, with the time in its name."
    )
    max_megabytes: float = Field(default=100, gt=0, description="How large a file may become.")


class File(EventSink[FileConfig]):
    """Appends usage events to a file, one JSON object a line; a new file each day (UTC), or when it is full."""

    id = "sink.file"
    Config = FileConfig

    async def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        lines = b"".join(encode(event) + b"\n" for event in events)
        await asyncio.to_thread(append, self.config.path, lines, int(self.config.max_megabytes * 1e6))


def append(path: Path, lines: bytes, max_bytes: int) -> None:
    """Add lines to a file, and return when they are safe on the disk. A line torn by a crash is removed first.

    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path.with_name(f"{path.name}.lock")):
        _rotate(path, len(lines), max_bytes)
        is_new = not path.exists()
        with path.open("r+b" if not is_new else "x+b") as file:
            _mend(file)
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            _sync_folder(path.parent)


def _rotate(path: Path, size: int, max_bytes: int) -> None:
    """Rename the file when it is of an earlier day, or has no room for so many bytes more."""
    try:
        now = path.stat()
    except FileNotFoundError:
        return
    written = datetime.fromtimestamp(now.st_mtime, UTC)
    if now.st_size == 0 or (written.date() == datetime.now(UTC).date() and now.st_size + size <= max_bytes):
        return
    number = 0
    while (full := path.with_stem(f"{path.stem}-{written:%Y%m%dT%H%M%SZ}-{number}")).exists():
        number += 1
    path.rename(full)


def _mend(file: IO[bytes]) -> None:
    """Go to the end of the last whole line, and drop what stands behind it: its events come again."""
    end = file.seek(0, os.SEEK_END)
    at = end
    while at > 0:
        start = max(0, at - _BLOCK)
        file.seek(start)
        newline = file.read(at - start).rfind(b"\n")
        if newline >= 0:
            at = start + newline + 1
            break
        at = start
    if at != end:
        file.truncate(at)
    file.seek(at)


@contextmanager
def _alone(lock: Path) -> Generator[None]:
    """Keep other processes out, such as a worker that hung and has lost its lease."""
    if sys.platform == "win32":
        yield
        return
    import fcntl  # noqa: PLC0415 - Unix has it

    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sync_folder(folder: Path) -> None:
    """Make sure that a new file's name survives a power cut."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
