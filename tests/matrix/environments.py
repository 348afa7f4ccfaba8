"""Environments of their own for clients that the development packages do not hold: made on demand, and kept."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .registry import NPM, Client
from .run import CLIENTS

REQUIREMENTS = Path(__file__).parent / "requirements"
KEPT = Path(__file__).parents[2] / ".matrix"
PIP = (
    "-m",
    "pip",
    "--quiet",
    "--disable-pip-version-check",
    "install",
    "--no-deps",
    "--require-hashes",
    "--requirement",
)


class Missing(Exception):
    """A program that a client needs is not on this machine."""


async def command(client: Client) -> Sequence[str]:
    """Give the command that runs a client, after making its environment if need be. Raises `Missing`."""
    if client.environment is None:
        return (sys.executable, "-W", "ignore", "run.py")
    if client.environment != NPM:
        folder = await asyncio.to_thread(_venv, client.environment)
        return (str(folder / "bin" / "python"), "-W", "ignore", "run.py")
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("Node.js and npm are not on this machine")
    folder = await asyncio.to_thread(_node_modules, npm)
    shutil.copyfile(CLIENTS / client.name / "run.mjs", folder / f"{client.name}.mjs")
    for shared in CLIENTS.glob("*.mjs"):
        shutil.copyfile(shared, folder / shared.name)
    return (node, str(folder / f"{client.name}.mjs"))


def _venv(name: str) -> Path:
    file = REQUIREMENTS / f"{name}.txt"
    with _made(name, file) as (folder, is_new):
        if is_new:
            _run(sys.executable, "-m", "venv", str(folder))
            _run(str(folder / "bin" / "python"), *PIP, str(file))
    return folder


def _node_modules(npm: str) -> Path:
    with _made(NPM, REQUIREMENTS / "package-lock.json") as (folder, is_new):
        if is_new:
            folder.mkdir(parents=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copyfile(REQUIREMENTS / name, folder / name)
            _run(npm, "ci", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund")
    return folder


@contextmanager
def _made(name: str, file: Path) -> Generator[tuple[Path, bool]]:
    """Give the folder of an environment, and whether it is still to be made; others that want it wait meanwhile."""
    version = hashlib.sha256(file.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = KEPT / f"{name}-{version}"
    done = KEPT / f"{name}-{version}.done"
    KEPT.mkdir(exist_ok=True)
    (KEPT / ".gitignore").write_text("*\n", encoding="utf-8")
    with (KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_new = not done.exists()
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        yield folder, is_new
        done.touch()


def _run(*command: str) -> None:
    # With this machine's proxies and certificates, which clients never see.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
