"""What the documents show: every Python and TOML example does what it says, every command line can be read."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.cli import main
from gateway.cli.server import Server
from gateway.config import environment
from gateway.facade import HOOKS
from gateway.testing.pytest_plugin import ClientFactory

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "providers/*/*.md", "plugins/*/*.md", "middleware/*/*.md")
    for path in ROOT.glob(pattern)
)

WITH_COMMANDS = """
[provider.mock]
[billing.budgets]
[billing.credits]
[billing.invoices.entities.main]
name = "Example"
address = ["1 Example Road"]
country = "DE"
currency = "EUR"
[billing.stripe]
secret_key = "sk_test_not_a_real_key"
[billing.subscription]
[service.receipts]
key = "bm90LWEtcmVhbC1rZXktYnV0LTMyLWJ5dGVzLWxvbmc"
"""


def blocks(path: str, language: str) -> list[str]:
    """The examples of a document in one language, in order."""
    text = (ROOT / path).read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, and without any provider's key."""
    monkeypatch.chdir(tmp_path)
    for variable in ("GATEWAY_CONFIG", "OPENAI_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


def test_the_readme_config_is_good(tmp_path: Path) -> None:
    (config,) = blocks("README.md", "toml")
    (tmp_path / "plugins.toml").write_text(config)
    registry = Gateway.from_file("plugins.toml").registry
    assert [plugin.table.instance for plugin in registry.skipped] == ["provider.openai", "provider.deepseek"]


async def test_the_readme_client_gets_its_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client, _ = blocks("README.md", "python")
    config: Any = {"provider": {"mock": {}}, "models": {"fast": {"targets": ["mock:echo"]}}}
    ready = asyncio.Event()
    server = Server(Gateway.from_dict(config), on_ready=ready.set)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        await ready.wait()
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        program = client.replace("127.0.0.1:8080", host).replace("gw_…", "not-a-real-key")
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        server.leave()
        await task
    assert (done.stdout, done.stderr) == ("Hello!", "")


def test_the_readme_application_answers(tmp_path: Path) -> None:
    _, application = blocks("README.md", "python")
    (tmp_path / "plugins.toml").write_text(blocks("README.md", "toml")[0])
    made = CliRunner().invoke(main, ["keys", "create", "--name", "me", "--json"])
    names: dict[str, Any] = {}
    exec(application, names)
    chat = {"model": "fast", "messages": [{"role": "user", "content": "Hello!"}]}
    with TestClient(names["app"]) as client:
        assert client.get("/ai/readyz").status_code == 200
        assert client.post("/ai/v1/chat/completions", json=chat).status_code == 401
        headers = {"authorization": f"Bearer {json.loads(made.stdout)['key']}"}
        answer = client.post("/ai/v1/chat/completions", json=chat, headers=headers)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello!"


def test_the_plugin_and_its_tests_pass(tmp_path: Path) -> None:
    plugin, _, tests = blocks("docs/plugins.md", "python")
    (tmp_path / "gateway_polite.py").write_text(plugin)
    (tmp_path / "test_polite.py").write_text(tests)
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    options = ["-q", "-p", "no:cacheprovider", "-p", "gateway.testing.pytest_plugin", "-p", "anyio"]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    env = {**environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # no plugin but the gateway's own
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\b\d\d passed", done.stdout), "the suite and the test beside it"


def loaded(name: str, source: str, folder: Path) -> Any:
    """Import a module that a document shows."""
    (folder / f"{name}.py").write_text(source)
    spec = util.spec_from_file_location(name, folder / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_plugin_with_a_route_of_its_own_answers(tmp_path: Path, gateway_client: ClientFactory) -> None:
    plugin = loaded("gateway_ask", blocks("docs/plugins.md", "python")[1], tmp_path).Ask
    client = gateway_client({"service": {"ask": {}}, "provider": {"mock": {}}}, plugins=[plugin])
    answer = client.post("/ask", params={"model": "mock/echo"}, content=b"Hello!")
    assert (answer.status_code, answer.text) == (200, "Hello!")


def test_the_plugin_is_named_and_set_as_shown(tmp_path: Path, gateway_client: ClientFactory) -> None:
    names, settings = map(tomllib.loads, blocks("docs/plugins.md", "toml"))
    ((plugin_id, target),) = names["project"]["entry-points"]["gateway.plugins"].items()
    module, _, name = target.partition(":")
    plugin = getattr(loaded(module, blocks("docs/plugins.md", "python")[0], tmp_path), name)
    assert plugin.id == plugin_id
    client = gateway_client({**settings, "provider": {"mock": {}}}, plugins=[plugin])
    chat = {"model": "mock/echo", "messages": [{"role": "user", "content": "Hello!"}]}
    assert client.post("/v1/chat/completions", json=chat).headers["x-polite"] == "thanks"


def test_the_table_of_hooks_is_complete_and_in_order() -> None:
    rows = re.findall(
        r"^\| `(register_\w+)\(self\)` \|", (ROOT / "docs/plugins.md").read_text("utf-8"), re.MULTILINE
    )
    assert rows == list(HOOKS)


def test_the_configuration_is_good(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not-a-real-key")
    shown = "\n".join(blocks("docs/configuration.md", "toml")).replace("/run/secrets/backup", "secret")
    others = "[provider.openai]\napi_key = 'not-a-real-key'\n[provider.deepseek]\nuse = 'mock'\n"
    (tmp_path / "plugins.toml").write_text(shown + others)
    gateway = Gateway.from_file("plugins.toml")
    assert {plugin.name for plugin in gateway.registry.plugins} == {"openai", "deepseek", "backup"}


def command_lines() -> Iterator[Any]:
    for path in DOCUMENTS:
        name = path.relative_to(ROOT).as_posix()
        for block in blocks(name, "console"):
            for line in re.findall(r"^\$ gateway (.*)$", block, re.MULTILINE):
                yield pytest.param(line, id=f"{name}: {line.partition('#')[0].strip()}")


@pytest.fixture(scope="module")
def with_commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config with every plugin that brings commands."""
    folder = tmp_path_factory.mktemp("commands")
    (folder / "plugins.toml").write_text(WITH_COMMANDS)
    return folder


@pytest.mark.parametrize("line", list(command_lines()))
def test_the_command_line_can_be_read(
    line: str, with_commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(with_commands)
    words = shlex.split(re.split(r"[|<]", line)[0], comments=True)
    context = main.make_context("gateway", words)
    while isinstance(context.command, click.Group) and (words := [*context._protected_args, *context.args]):
        command = context.command.get_command(context, words[0])
        assert command is not None
        context = command.make_context(words[0], words[1:], parent=context)
