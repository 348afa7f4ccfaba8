"""Several processes that serve one socket: started, replaced when they die, stopped together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Generator
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from gateway.cli.options import words
from gateway.cli.server import Server
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from multiprocessing.context import ForkProcess

    from gateway.app import Gateway

log = logging.getLogger("gateway.serve")

CUT_OFF = signal.SIGUSR1
"""Between a supervisor and its workers: stop without waiting for running calls."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, CUT_OFF)

_PAUSE_SECONDS = 1.0
"""A worker that dies sooner than this after its start is replaced only when this time is over."""


class Worker(NamedTuple):
    """A process as its supervisor sees it."""

    process: ForkProcess
    news: Connection
    """Holds one message once the worker listens."""
    started_at: float
    """By the monotonic clock."""


class Supervisor:
    """Runs a server in each of `count` forked processes until a signal comes.

    The first SIGTERM or SIGINT is passed on, and a worker lets its calls finish; on the next they stop at once. The
    first worker starts alone, so that a config that cannot run says so once.
    """

    def __init__(
        self,
        count: int,
        *,
        build: Callable[[], Gateway],
        listener: socket.socket,
        on_ready: Callable[[], None],
        on_drain: Callable[[], None],
        on_started: Callable[[], Awaitable[None]],
    ) -> None:
        self._count = count
        self._build = build
        self._listener = listener
        self._on_ready = on_ready
        self._on_drain = on_drain
        self._on_started = on_started
        self._fork = multiprocessing.get_context("fork")
        self._lifeline, self._held = self._fork.Pipe(duplex=False)
        self._told, self._tell = self._fork.Pipe(duplex=False)
        self._workers: list[Worker] = []
        self._starting: list[Worker] = []
        self._ever_ready = False
        self._announced = False
        self._stopping = False
        self._failed = False

    def run(self) -> int:
        """Serve until told to stop; return the exit code of the command."""
        gc.freeze()  # what is loaded by now stays shared between the processes
        before = {number: signal.signal(number, self._pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._start()
            while self._workers:
                news = [worker.news for worker in self._starting]
                ready = wait([self._told, *news, *(worker.process.sentinel for worker in self._workers)])
                if self._told in ready:
                    self._told.recv_bytes()
                    self._on_drain()
                for worker in [worker for worker in self._starting if worker.news in ready]:
                    self._hear(worker)
                for worker in [worker for worker in self._workers if worker.process.sentinel in ready]:
                    self._replace(worker)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
        return int(self._failed)

    def _start(self) -> None:
        """Start one worker, unless a signal came. Signals wait meanwhile, so that none misses a new worker."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            if self._stopping:
                return
            news, tell = self._fork.Pipe(duplex=False)
            process = self._fork.Process(target=self._work, args=(news, tell))
            process.start()
            tell.close()
            worker = Worker(process, news, time.monotonic())
            self._workers.append(worker)
            self._starting.append(worker)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def _hear(self, worker: Worker) -> None:
        """Take the news that a worker listens, or the end of a pipe whose worker died."""
        self._starting.remove(worker)
        try:
            worker.news.recv_bytes()
        except EOFError:
            return
        finally:
            worker.news.close()
        self._ever_ready = True
        while len(self._workers) < self._count and not self._stopping:
            self._start()
        if not self._starting and not self._announced and not self._stopping:
            self._announced = True
            self._on_ready()

    def _replace(self, worker: Worker) -> None:
        self._workers.remove(worker)
        if worker in self._starting:
            self._starting.remove(worker)
            worker.news.close()
        worker.process.join()
        code, pid = worker.process.exitcode, worker.process.pid
        if self._stopping or not self._ever_ready:
            self._failed = self._failed or code != 0
            return
        log.error("Worker %d ended with exit code %s; starting another one.", pid, code)
        time.sleep(max(0.0, worker.started_at + _PAUSE_SECONDS - time.monotonic()))
        self._start()

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        signum = CUT_OFF if self._stopping else signal.SIGTERM
        if not self._stopping:
            self._tell.send_bytes(b"stop")  # to the loop in `run`: a signal's handler must not print
        self._stopping = True
        for worker in self._workers:
            if worker.process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.process.pid, signum)

    def _work(self, news: Connection, tell: Connection) -> None:
        """Serve, in a process of its own. Signals stay blocked until the server can take them."""
        news.close()
        self._held.close()

        def on_ready() -> None:
            with contextlib.suppress(BrokenPipeError):  # the supervisor has gone, as the lifeline says too
                tell.send_bytes(b"ready")

        try:
            server = WorkerServer(
                self._build(), on_ready=on_ready, on_started=self._on_started, lifeline=self._lifeline
            )
            server.run(sockets=[self._listener])
        except GatewayError as error:
            sys.stderr.write(f"gateway: {words(error)}\n")
            sys.exit(1)


class WorkerServer(Server):
    """A server whose signals mean one thing each, and which leaves when its supervisor is gone."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        on_ready: Callable[[], None],
        on_started: Callable[[], Awaitable[None]],
        lifeline: Connection,
    ) -> None:
        super().__init__(gateway, on_ready=on_ready, on_started=on_started)
        self._lifeline = lifeline

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as any server, and watch the pipe that ends with the supervisor."""
        asyncio.get_running_loop().add_reader(self._lifeline.fileno(), self._orphaned)
        await super().startup(sockets)

    def _orphaned(self) -> None:
        asyncio.get_running_loop().remove_reader(self._lifeline.fileno())
        log.error("The supervisor is gone; worker %d stops.", os.getpid())
        self.leave()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal. A terminal or a service manager may send the gentle ones beside the supervisor."""
        del frame
        if sig == CUT_OFF:
            self.cut_off()
        else:
            self.leave()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Listen to signals, also to those that came while the worker was being built."""
        with super().capture_signals():
            signal.signal(CUT_OFF, self.handle_exit)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            yield
