"""Prepaid credits under load: nobody overspends, nothing is lost by `kill -9`, and what that costs.

    python benchmarks/credits.py [--postgres URL] [--only crowd,kill,cost] [--workers 1,4] [--rounds 20] [--calls 1000]

`crowd`: so many calls at once on credit for ten, with 1 and 4 workers; then as many, funded. `kill`: the gateway dies at
random moments under load with all on that counts money, is started again, and all sums are compared each time. `cost`: CPU
for each request with credits on and off, in turns, and calls a second. The databases are new ones: SQLite in a folder that
goes away, and ones of the PostgreSQL server at the URL that are dropped afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import killed

from gateway.store import Database
from gateway.store.database import connect_postgres

GATEWAY = [sys.executable, "-m", "gateway"]
PRICE = 5
"""Credits of each call: five tokens of an answer, at one credit each, and as many are held."""
BODY = {
    "model": "mock/echo",
    "messages": [{"role": "user", "content": "one two three four five"}],
    "max_tokens": PRICE,
}
CONFIG = """
[gateway]
database = "{database}"
[gateway.prices]
book = "prices.toml"
[auth.apikey]
[provider.mock]
{plugins}
"""
PRICES = """
version = "credits"
[mock.echo]
price = { from = 2020-01-01, input = 0, output = 1000000, cached_read = 0 }
"""


class Server:
    """A folder with a config, and the gateway that serves it."""

    def __init__(self, folder: Path, database: str, *, plugins: str = "[billing.credits]") -> None:
        self.folder = folder
        text = CONFIG.format(database=database, plugins=plugins)
        (folder / "plugins.toml").write_text(text)
        (folder / "prices.toml").write_text(PRICES)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.key = json.loads(self.run("keys", "create", "--name", "bench", "--json"))["key"]

    def run(self, *arguments: str) -> str:
        """Run a command on the config; it must succeed."""
        done = subprocess.run(
            [*GATEWAY, "-c", "plugins.toml", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            sys.exit(f"gateway {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def fund(self, calls: int) -> None:
        """Give credit for so many calls."""
        self.run("credits", "grant", "default", str(calls * PRICE))

    def start(self, workers: int) -> None:
        """Serve, and wait until it answers."""
        command = [
            *GATEWAY,
            "-c",
            "plugins.toml",
            "serve",
            "--port",
            str(self.port),
            "--workers",
            str(workers),
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
        if not self._until(listening=True):
            sys.exit((self.folder / "log").read_text())

    def _until(self, *, listening: bool) -> bool:
        """Wait until somebody listens at the port, or nobody does any more; return whether that came."""
        for _ in range(1200):
            with socket.socket() as probe:
                if (probe.connect_ex(("127.0.0.1", self.port)) == 0) == listening:
                    return True
            time.sleep(0.1)
        return False

    def stop(self, kill: bool = False) -> None:
        """End it and everything it started."""
        os.killpg(self.process.pid, signal.SIGKILL if kill else signal.SIGTERM)
        self.process.wait(60)
        self._until(listening=False)  # its workers may end after it

    def cpu(self) -> float:
        """Seconds of CPU that its processes have used."""
        pids = [self.process.pid]
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += [int(child) for child in task.read_text().split()]
        stats = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
        return sum(int(stat[11]) + int(stat[12]) for stat in stats) / os.sysconf("SC_CLK_TCK")

    async def call(self, connections: int, calls: int | None) -> Counter[int]:
        """Call until told to stop, or so often, over so many connections; return the statuses, 0 where it broke."""
        body = json.dumps(BODY).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self.key}\r\n"
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        request, statuses = head.encode() + body, Counter[int]()
        left = iter(range(calls)) if calls is not None else iter(int, 1)

        async def client() -> None:
            reader = writer = None
            try:
                for _ in left:
                    try:
                        if reader is None or writer is None:
                            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                        writer.write(request)
                        answer = await reader.readuntil(b"\r\n\r\n")
                        length = answer.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
                        await reader.readexactly(int(length))
                        statuses[int(answer[9:12])] += 1
                    except (OSError, asyncio.IncompleteReadError):
                        statuses[0] += 1
                        if writer is not None:
                            writer.close()
                        writer = None
                        await asyncio.sleep(0.05)
            finally:
                if writer is not None:
                    writer.close()

        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(client())
        return statuses


@contextmanager
def database(server: str) -> Generator[str]:
    """The URL of a new database: a file in the folder of its config, or one on a PostgreSQL server."""
    if server == "sqlite":
        yield "sqlite:///gateway.db"
        return
    name = f"credits_{uuid.uuid4().hex}"
    asyncio.run(_execute(server, f"CREATE DATABASE {name}"))
    try:
        yield f"{server}/{name}"
    finally:
        asyncio.run(_execute(server, f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(server: str, statement: str) -> None:
    connection = await connect_postgres(f"{server}/postgres")
    await connection.execute(statement)
    await connection.close()


async def crowd(folder: Path, database: str, workers: int, calls: int) -> None:
    """So many calls at once: on credit for ten, then funded."""
    server = Server(folder, database)
    server.fund(10)
    server.start(workers)
    began = time.monotonic()
    poor = await server.call(calls, calls)
    seconds = time.monotonic() - began
    server.fund(calls)
    rich = await server.call(min(calls, 200), calls)
    server.stop()
    server.run("credits", "verify")
    log = (server.folder / "log").read_text()
    kind = database.partition(":")[0]
    told = f"{kind}, {workers} workers: {dict(poor)} in {seconds:.1f} s; funded: {dict(rich)}; books right"
    print(told, f"; deadlocks: {log.count('eadlock')}", flush=True)
    if poor != {200: 10, 402: calls - 10} or rich != {200: calls}:
        sys.exit("WRONG")


async def kill(folder: Path, database: str, workers: int, rounds: int) -> None:
    """Kill it at random moments, start it again, and compare all that counts money each time."""
    chance, given = random.Random(7), 1_000_000 * PRICE  # noqa: S311 - no secret
    with killed.fake_meter() as stripe:
        server = Server(folder, database, plugins=killed.PLUGINS.format(stripe=stripe.url, key=killed.KEY))
        beside = Database(database if "postgresql" in database else f"sqlite:///{folder / 'gateway.db'}")
        await killed.prepare(server, beside, given)
        clients = killed.Clients(server.port, server.key, json.dumps(BODY).encode())
        server.start(workers)
        proved: dict[str, int] = {}
        try:
            for _ in range(rounds):
                load = asyncio.ensure_future(clients.load())
                await asyncio.sleep(chance.uniform(0.5, 1.5))
                server.stop(kill=True)
                load.cancel()
                await asyncio.gather(load, return_exceptions=True)
                await asyncio.to_thread(server.start, workers)
                await clients.repeat()
                await killed.quiet(beside)
                proved = await killed.prove(server, beside, stripe, given)
                print(".", end="", flush=True)
        finally:
            server.stop()
            await beside.close()
        server.run("credits", "verify")
        server.run("receipts", "verify", "--account", killed.TENANT)
    kind = database.partition(":")[0]
    told = f"{kind}, {workers} workers: killed {rounds} times, answers {dict(clients.statuses)}, {proved}"
    print(f"{told}; each time all sums are one, the books right, the receipts whole", flush=True)


async def cost(folder: Path, seconds: float) -> None:
    """CPU of the gateway for each request, with and without credits, in turns."""
    servers: dict[str, Server] = {}
    for name in ("off", "on"):
        (folder / name).mkdir()
        servers[name] = Server(
            folder / name, "sqlite:///gateway.db", plugins="[billing.credits]" if name == "on" else ""
        )
        if name == "on":
            servers[name].fund(10_000_000)
        servers[name].start(1)
        await servers[name].call(32, 2000)
    best: dict[str, tuple[float, float]] = {}
    for _ in range(5):
        for name, server in servers.items():
            before, began = server.cpu(), time.monotonic()
            count = int(1000 * seconds)
            statuses = await server.call(32, count)
            used, took = server.cpu() - before, time.monotonic() - began
            assert statuses == {200: count}, statuses
            figure = (used / count * 1e6, count / took)
            best[name] = min(best.get(name, figure), figure)
    for server in servers.values():
        server.stop()
    servers["on"].run("credits", "verify")
    (off, off_rate), (on, on_rate) = best["off"], best["on"]
    print(
        f"CPU for a request: {off:.0f} µs off, {on:.0f} µs on: {on / off:.2f} times; {off_rate:.0f} and {on_rate:.0f} calls/s"
    )
    print(f"one core of this machine: {1e6 / on:.0f} credit-checked calls/s", flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--postgres", help="URL of a server on which databases may be made, without a name")
    parser.add_argument("--only", default="crowd,kill,cost")
    parser.add_argument("--workers", default="1,4")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    wanted = options.only.split(",")
    with tempfile.TemporaryDirectory(prefix="gateway-credits-") as top:

        def folder() -> Path:
            path = Path(top) / uuid.uuid4().hex
            path.mkdir()
            return path

        for workers in map(int, options.workers.split(",")):
            for server in filter(None, ("sqlite", options.postgres)):
                with database(server) as url:
                    if "crowd" in wanted:
                        asyncio.run(crowd(folder(), url, workers, options.calls))
                with database(server) as url:
                    if "kill" in wanted:
                        asyncio.run(kill(folder(), url, workers, options.rounds))
        if "cost" in wanted:
            asyncio.run(cost(folder(), options.seconds))


if __name__ == "__main__":
    main()
