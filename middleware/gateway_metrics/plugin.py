"""Counts calls and shows the numbers to Prometheus."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.errors import AuthenticationFailed
from gateway.plugin import Context, Plugin, PluginConfig, hookimpl
from gateway.rounds import Rounds
from gateway.secrets import Secret
from gateway_metrics.series import Book, merge

if TYPE_CHECKING:
    import logging

    from starlette.routing import BaseRoute

    from gateway.protocols import AroundCall, OnFinished
    from gateway.types import Answer, Call, Outcome, Proceed

WRITE_SECONDS = 1.0
"""What a worker has counted is safe from its own death after this time."""


class MetricsConfig(PluginConfig):
    """The table `[middleware.metrics]`."""

    path: str = Field(default="/metrics", pattern="^/", description="Where the page is.")
    token: Secret | None = Field(
        default=None, description="When set, the page asks for it: `Authorization: Bearer TOKEN`."
    )


class Metrics(Plugin[MetricsConfig]):
    """Counts calls, durations, first bytes, tokens and cost, and serves them at `/metrics`.

    With several workers each one keeps its numbers in a file of the folder that they share, and the page adds up
    all files. The worker that shows the page writes its own file first; so no number ever goes down between two
    pages, whichever workers serve them.
    """

    id = "middleware.metrics"
    Config = MetricsConfig

    def __init__(self, name: str, config: MetricsConfig, context: Context) -> None:
        super().__init__(name, config, context)
        self._book = Book()
        self._file: Path | None = None
        self._writing = asyncio.Lock()
        self._writer: _Writer | None = None

    async def startup(self) -> None:
        """Begin to keep the numbers where other workers see them, when there are others."""
        folder = self.context.shared_folder
        if folder is not None:
            self._file = folder / f"{self.id}.{self.name}.{os.getpid()}"
            self._writer = _Writer(self._book, self._file, self._writing, log=self.log)
            self._writer.start()

    async def shutdown(self) -> None:
        if self._writer is not None:
            await self._writer.stop()
            self._writer = None
        if self._file is not None:
            _write(self._file, self._book.snapshot())

    @hookimpl
    def register_interceptors(self) -> Sequence[AroundCall | OnFinished]:
        return (self,)

    @hookimpl
    def register_routes(self) -> Sequence[BaseRoute]:
        return (Route(self.config.path, self._page, methods=["GET"]),)

    def around_call(self, call: Call, proceed: Proceed) -> Awaitable[Answer]:
        """Count the call as in flight."""
        self._book.begin(call)
        return proceed(call)

    def finished(self, call: Call, outcome: Outcome) -> None:
        """Count how the call ended."""
        self._book.finish(call, outcome)

    async def _page(self, request: Request) -> Response:
        """Answer Prometheus. Rendering takes milliseconds with many models, so it happens in a thread."""
        self._authorise(request)
        async with self._writing:
            snapshot = self._book.snapshot()
            page, content_type = await asyncio.to_thread(
                _render, self._file, snapshot, request.headers.get("accept", "")
            )
        return Response(page, headers={"content-type": content_type})

    def _authorise(self, request: Request) -> None:
        if self.config.token is None:
            return
        wanted = f"Bearer {self.config.token.reveal()}".encode()
        if not hmac.compare_digest(request.headers.get("authorization", "").encode(), wanted):
            raise AuthenticationFailed(
                "The metrics need the token of their config, as 'Authorization: Bearer TOKEN'."
            )


class _Writer(Rounds):
    """Keeps the numbers in a file; `writing` is held by whoever writes it."""

    def __init__(self, book: Book, file: Path, writing: asyncio.Lock, *, log: logging.Logger) -> None:
        super().__init__("metrics: write", pause=WRITE_SECONDS, log=log)
        self._book = book
        self._file = file
        self._writing = writing
        self._written = b""

    async def go_round(self) -> None:
        """Write them, unless they are the same as before. Raises `OSError`."""
        async with self._writing:
            snapshot = self._book.snapshot()
            if snapshot != self._written:
                await asyncio.to_thread(_write, self._file, snapshot)
                self._written = snapshot


def _render(file: Path | None, snapshot: bytes, accept: str) -> tuple[bytes, str]:
    from gateway_metrics.page import render  # noqa: PLC0415 - prometheus-client is imported by the first page

    if file is None:
        return render(merge([snapshot]), accept)
    _write(file, snapshot)
    files = sorted(file.parent.glob(f"{file.stem}.*[0-9]"))
    return render(merge(path.read_bytes() for path in files), accept)


def _write(file: Path, snapshot: bytes) -> None:
    """Replace the file as a whole, so that no reader sees half of it."""
    unfinished = file.with_name(f"{file.name}.new")
    unfinished.write_bytes(snapshot)
    unfinished.replace(file)
