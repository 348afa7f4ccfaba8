"""`gateway serve`: real processes, real signals."""

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest

from ...commands.process import run, start

T = TypeVar("T")

ENVIRONMENT = {**os.environ}  # noqa: TID251 - what a shell would give on

OPEN = "[provider.mock]\n[middleware.metrics]\n"
URL = re.compile(r"http://\S+:\d+")


def until(condition: Callable[[], T | None], seconds: float = 30.0) -> T:
    """Wait until `condition` gives something true, and return that."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s; last: {value!r}"
        time.sleep(0.01)
    return value


class Served:
    """A running `gateway serve`."""

    def __init__(self, folder: Path, config: str, *options: str) -> None:
        self.folder = folder
        (folder / "plugins.toml").write_text(config)
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = start(["serve", "--port", "0", *options], cwd=folder, env=ENVIRONMENT, output=log)
        self.url = until(self._url)

    def _url(self) -> str | None:
        assert self.process.poll() is None, self.log.read_text()
        text = self.log.read_text()
        # The banner ends with the curl line's body.
        return URL.findall(text)[0] if '"messages"' in text else None

    def get(self, path: str) -> httpx2.Response:
        """Each on a connection of its own, as workers share the work by connection."""
        return httpx2.get(self.url + path, timeout=30)

    def post(self, content: str = "Hello") -> httpx2.Response:
        return httpx2.post(f"{self.url}/v1/chat/completions", json=chat(content), timeout=30)

    @contextlib.contextmanager
    def stream(self, content: str) -> Generator[Iterator[str]]:
        """A streamed answer as its lines."""
        body = {**chat(content), "stream": True}
        with httpx2.stream("POST", f"{self.url}/v1/chat/completions", json=body, timeout=60) as answer:
            assert answer.status_code == 200
            yield (line for line in answer.iter_lines() if line)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def wait(self) -> int:
        return self.process.wait(30)

    def statuses(self) -> list[tuple[str, str | None]]:
        with contextlib.closing(sqlite3.connect(self.folder / "gateway.db")) as database:
            return database.execute("SELECT status, error_code FROM model_calls ORDER BY id").fetchall()

    def workers(self) -> list[int]:
        pid = self.process.pid
        found: list[int] = []
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):  # it has just ended
                if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes():
                    found.append(int(child))
        return found


def chat(content: str) -> dict[str, Any]:
    return {"model": "mock/echo", "messages": [{"role": "user", "content": content}]}


@pytest.fixture
def serve(tmp_path: Path):
    with contextlib.ExitStack() as stack:

        def served(config: str = OPEN, *options: str) -> Served:
            one = Served(tmp_path, config, *options)
            stack.callback(one.process.wait)
            stack.callback(one.process.kill)
            return one

        yield served


Serve = Callable[..., Served]


def command(folder: Path, config: str, *options: str) -> subprocess.CompletedProcess[str]:
    """`gateway serve` with options that it refuses."""
    (folder / "plugins.toml").write_text(config)
    return run(["serve", *options], cwd=folder, env=ENVIRONMENT)


def test_the_banner_tells_how_to_call(serve: Serve):
    served = serve(OPEN + '[models.fast]\ntargets = ["mock:echo"]\n')
    text = served.log.read_text()
    for part in ("asgi-gateway", served.url, "plugins.toml", "fast, mock/…", "middleware.metrics", "curl"):
        assert part in text
    assert "uvicorn" not in text.lower()
    assert " INFO " not in text


def test_answers_carry_no_server_header(serve: Serve):
    answer = serve().post()
    assert answer.status_code == 200
    assert "server" not in answer.headers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_gateway_stops_with_0(serve: Serve, number: int):
    served = serve()
    assert served.post().status_code == 200
    served.signal(number)
    assert served.wait() == 0
    assert served.statuses() == [("success", None)]
    log = served.log.read_text()
    assert "Traceback" not in log
    assert log.endswith("\n  draining 0 calls running, up to 30 s\n  stopped\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts_ends_it_quietly(tmp_path: Path, number: int):
    """Whatever it was doing at that time; only before Python has read `gateway serve`, the signal ends it itself."""
    (tmp_path / "plugins.toml").write_text(OPEN)
    program = (
        "import builtins, os, signal, sys\n"
        "load = builtins.__import__\n"
        "def catch(name, *rest, **more):\n"
        f"    if name == 'gateway.app': os.kill(os.getpid(), {int(number)})\n"
        "    return load(name, *rest, **more)\n"
        "builtins.__import__ = catch\n"
        "from gateway.cli import main\n"
        "main(['serve', '--port', '0'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


HANGING = """
import asyncio, pathlib
from gateway import Plugin, PluginConfig

class Config(PluginConfig):
    pass

class Hanging(Plugin[Config]):
    id = "service.hanging"
    Config = Config

    async def startup(self) -> None:
        pathlib.Path("starts").touch()
        await asyncio.Event().wait()
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_plugin_that_never_starts_does_not_keep_it_from_stopping(tmp_path: Path, workers: str):
    metadata = tmp_path / "library" / "hanging-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: hanging\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[gateway.plugins]\nservice.hanging = hanging:Hanging\n")
    (tmp_path / "library" / "hanging.py").write_text(HANGING)
    (tmp_path / "plugins.toml").write_text(OPEN + "[service.hanging]\n")
    program = [sys.executable, "-m", "gateway", "serve", "--port", "0", "--workers", workers]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(tmp_path / "library")}
    with subprocess.Popen(
        program, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as served:
        try:
            until((tmp_path / "starts").exists)
            served.terminate()
            _, told = served.communicate(timeout=60)
        finally:
            served.kill()
    assert served.returncode == 0
    assert told.endswith("  stopped\n")
    assert "Traceback" not in told


@pytest.mark.parametrize("workers", ["1", "2"])
def test_running_streams_finish_and_new_calls_are_refused(serve: Serve, workers: str):
    served = serve(OPEN, "--workers", workers)
    with served.stream("@chunks=100 @gap=50") as lines:
        next(lines)
        served.signal()
        until(lambda: _not_ready(served))
        refused = served.post() if workers == "1" else None
        if refused is not None:
            assert refused.status_code == 503
            assert refused.headers["retry-after"]
        rest = list(lines)
    assert rest[-1] == "data: [DONE]"
    assert served.wait() == 0
    what = "1 call" if workers == "1" else "2 workers"
    assert f"\n  draining {what} running, up to 30 s\n" in served.log.read_text()
    assert served.statuses() == [("success", None)]


def _not_ready(served: Served) -> bool:
    """Whether the gateway says so itself, or an idle worker has gone already."""
    try:
        return served.get("/readyz").status_code == 503
    except httpx2.TransportError:
        return True


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_does_not_wait(serve: Serve, workers: str):
    served = serve(OPEN, "--workers", workers)
    with served.stream("@hang=3") as lines:
        next(lines)
        served.signal()
        until(lambda: _not_ready(served))
        served.signal()
        rest = _rest(lines)
    assert served.wait() == 0
    assert "data: [DONE]" not in rest
    ((status, code),) = served.statuses()
    assert status in {"failed", "cancelled"}
    assert code == "shutdown"


def test_what_runs_longer_than_drain_seconds_is_cut_off_with_an_error(serve: Serve):
    served = serve("[gateway]\ndrain_seconds = 0.2\n" + OPEN)
    with served.stream("@hang=3") as lines:
        next(lines)
        served.signal()
        rest = _rest(lines)
    assert served.wait() == 0
    assert "error" in json.loads(rest[-1].removeprefix("data: "))
    ((status, code),) = served.statuses()
    assert status in {"failed", "cancelled"}
    assert code == "shutdown"


def _rest(lines: Iterator[str]) -> list[str]:
    """What still comes, up to a clean end or a cut."""
    rest: list[str] = []
    with contextlib.suppress(httpx2.TransportError):
        rest.extend(lines)
    return rest


def test_a_worker_that_dies_is_replaced(serve: Serve):
    served = serve(OPEN, "--workers", "2")
    before = served.workers()
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(found := served.workers()) == 2 and before[0] not in found)
    until(lambda: served.get("/readyz").status_code == 200)
    assert "ended with exit code -9" in served.log.read_text()
    served.signal()
    assert served.wait() == 0


def test_the_first_start_with_a_console_shows_one_link(serve: Serve):
    served = serve("[auth.apikey]\n[service.console]\n[provider.mock]\n", "--workers", "2")
    (link,) = until(lambda: re.findall(r"http\S+/sign-in/link\?token=\S+", served.log.read_text()))
    assert link.startswith(served.url)
    assert served.get(link.removeprefix(served.url)).status_code == 200
    served.signal()
    assert served.wait() == 0
    assert served.log.read_text().count("/sign-in/link?") == 1


def test_workers_do_not_outlive_their_supervisor(serve: Serve):
    served = serve(OPEN, "--workers", "2")
    workers = served.workers()
    served.signal(signal.SIGKILL)
    served.wait()
    until(lambda: not any(_runs(pid) for pid in workers))


def _runs(pid: int) -> bool:
    """Whether the process is there and no zombie, which only its new parent could bury."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_every_worker_shows_the_metrics_of_all(serve: Serve):
    served = serve(OPEN, "--workers", "2")
    for _ in range(12):
        assert served.post().status_code == 200
    wanted = re.compile(r'gateway_calls_total\{[^}]*status="success"[^}]*\} 12\.0')
    for _ in range(6):
        until(lambda: wanted.search(served.get("/metrics").text))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_gateway_that_cannot_start_says_why_once(tmp_path: Path, workers: str):
    config = '[gateway]\ndatabase = "postgresql://nobody@127.0.0.1:1/none"\n[provider.mock]\n'
    done = command(tmp_path, config, "--port", "0", "--workers", workers)
    assert done.returncode == 1
    assert done.stderr.count("gateway: ") == 1
    assert "Traceback" not in done.stderr


def test_a_wrong_config_is_refused(tmp_path: Path):
    done = command(tmp_path, "[gatewya]\n", "--port", "0")
    assert done.returncode == 2
    assert "plugins.toml:1: [gatewya]" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_open_gateway_listens_to_this_machine_only(tmp_path: Path, host: str):
    done = command(tmp_path, OPEN, "--host", host, "--port", "0")
    assert done.returncode == 2
    assert "no auth plugin" in done.stderr
    assert "[auth.apikey]" in done.stderr


def test_with_an_auth_plugin_it_may_listen_to_everybody(serve: Serve):
    served = serve("[auth.apikey]\n" + OPEN, "--host", "0.0.0.0")
    assert "http://0.0.0.0:" in served.url
    assert httpx2.get(served.url.replace("0.0.0.0", "127.0.0.1") + "/readyz").status_code == 200
    assert "warning  metrics are public: set token in [middleware.metrics]" in served.log.read_text()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_metrics_that_are_not_public_are_no_reason_to_warn(serve: Serve, host: str):
    token = '[auth.apikey]\n[provider.mock]\n[middleware.metrics]\ntoken = "not-a-real-token"\n'
    served = serve(OPEN if host == "127.0.0.1" else token, "--host", host)
    assert "metrics are public" not in served.log.read_text()


def test_a_port_that_is_taken_is_named(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command(tmp_path, OPEN, "--port", port)
    assert done.returncode == 2
    assert (
        done.stderr == f"Error: 127.0.0.1 port {port} is taken by another program; choose one with --port.\n"
    )
