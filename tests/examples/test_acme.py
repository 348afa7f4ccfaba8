"""The third-party example as its users get it: both wheels, a fresh environment, one line of config, a call, a ledger row."""

from __future__ import annotations

import asyncio
import json
import os
import site
import subprocess
import sys
import venv
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient

from ..ports import free_port

ROOT = Path(__file__).parents[2]
ACME = ROOT / "examples" / "acme-gateway-echo"
SECONDS = 90
ENVIRONMENT = {"PATH": os.defpath, "PYTHONUTF8": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
OPTIONS = (
    "-q",
    *("-p", "gateway.testing.pytest_plugin", "-p", "anyio", "-p", "no:cacheprovider"),
    *("-p", "pytest_asyncio.plugin"),
)
"""Pytest with what the gateway brings and needs, and the plugin that most authors have installed as well."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    for source in (ROOT, ACME):
        run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source)
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def home(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with both wheels, which borrows their dependencies from the one that runs the tests."""
    folder = tmp_path_factory.mktemp("home")
    venv.create(folder, symlinks=True)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    options = ("--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps", "--target")
    run(sys.executable, "-m", "pip", *options, packages, *wheels)
    borrowed = packages / "borrowed"
    borrowed.mkdir()
    for place in filter(
        Path.is_dir, map(Path, site.getsitepackages())
    ):  # Debian names some that do not exist
        for entry in place.iterdir():
            # Everything but the gateway itself, and the files that put its checkout on the path.
            if entry.suffix != ".pth" and not entry.name.startswith(("asgi_gateway", "_asgi_gateway")):
                (borrowed / entry.name).symlink_to(entry)
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    return folder


def run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=240, cwd=cwd, env=env)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return done.stdout


def python(home: Path, folder: Path, *arguments: str | Path) -> str:
    return run(home / "bin" / "python", *arguments, cwd=folder, env=ENVIRONMENT)


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins.toml").write_text("[auth.apikey]\n[provider.acme-echo]\nshout = true\n")
    return tmp_path


@asynccontextmanager
async def served(home: Path, folder: Path) -> AsyncGenerator[str]:
    """Run `gateway serve`; give its address once it answers."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(home / "bin" / "python", "-m", "gateway", "serve", "--port", str(port)),
        cwd=folder,
        env=ENVIRONMENT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS):
            url = f"http://127.0.0.1:{port}"
            while not (line := await process.stdout.readline()) or url not in line.decode():
                assert line, "it ended before it served"
        yield url
    finally:
        process.terminate()
        await process.communicate()
    assert process.returncode == 0


async def test_both_wheels_work_together(home: Path, folder: Path) -> None:
    where = "import gateway, gateway_acme_echo as acme; print(gateway.__file__, acme.__file__)"
    assert all(Path(path).is_relative_to(home) for path in python(home, folder, "-c", where).split())
    plugins = json_lines(python(home, folder, "-m", "gateway", "plugins", "--json"))
    assert {"provider.acme-echo": "acme-gateway-echo 0.1.0"}.items() <= {
        plugin["id"]: plugin["distribution"] for plugin in plugins
    }.items()

    key = json.loads(python(home, folder, "-m", "gateway", "keys", "create", "--name", "acme", "--json"))
    async with served(home, folder) as url, AsyncClient(base_url=url) as client:
        response = await client.post(
            "/v1/chat/completions",
            json={"model": "acme-echo/parrot", "messages": [{"role": "user", "content": "Hello"}]},
            headers={"authorization": f"Bearer {key['key']}", "x-client-request-id": "acme-1"},
        )
        assert response.status_code == 200, response.text
        assert response.json()["choices"][0]["message"]["content"] == "HELLO"

    (row,) = json_lines(python(home, folder, "-m", "gateway", "calls", "--json"))
    assert row["client_request_id"] == "acme-1"
    assert (row["provider"], row["upstream_model"], row["status"]) == ("acme-echo", "parrot", "success")
    assert (row["prompt_tokens"], row["completion_tokens"], row["key_name"]) == (1, 1, "acme")


def test_its_own_tests_pass_where_it_is_installed(home: Path) -> None:
    shown = python(home, home, "-m", "pytest", "-o", "pythonpath=", *OPTIONS, ACME)
    assert "passed" in shown


def test_a_new_plugin_passes_its_tests_where_the_wheel_is_installed(home: Path, folder: Path) -> None:
    python(home, folder, "-m", "gateway", "new", "middleware", "beta")
    assert "passed" in python(home, folder / "gateway-beta", "-m", "pytest", *OPTIONS)
