"""The command line as a whole, and the commands that look at the config."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from gateway import Plugin, __version__, hookimpl
from gateway.cli import COMMANDS, main
from gateway.config import Config
from gateway.errors import GatewayError
from gateway.loader import Catalogue

BAD = "[gateway]\ndurabilty = 'intent'\n[provider.mokc]\n"
BAD_PROBLEMS = [
    "2: [gateway] durabilty: unknown key, did you mean 'durability'?",
    "3: [provider.mokc]: unknown provider 'mokc', did you mean 'mock'?",
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder without a config."""
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def write(text: str, name: str = "plugins.toml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def test_help_lists_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    width = max(map(len, COMMANDS))
    for name, text in COMMANDS.items():
        assert f"  {name:<{width}}  {text}" in result.output


def test_help_imports_no_command() -> None:
    write("[provider.mock]")
    program = "import sys; from gateway.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "gateway.cli" in modules
    slow = {"gateway.cli.serve", "gateway.app", "gateway_mock", "rich", "sqlalchemy", "starlette"}
    assert slow & set(modules) == set()


def test_a_command_on_the_database_imports_what_it_uses(migrated: Path) -> None:
    write(f"[gateway]\ndatabase = 'sqlite:///{migrated}'\n[provider.mock]")
    program = (
        "import sys; from gateway.cli import main; main(['keys', 'list'], standalone_mode=False); print(*sys.modules);"
        "from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession; from gateway.store import Database;"
        "assert isinstance(Database('sqlite:///x.db').engine, AsyncEngine)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "gateway.store.database" in modules
    slow = {
        "alembic",
        "gateway.app",
        "gateway_mock",
        "sqlalchemy.dialects.postgresql",
        "sqlalchemy.orm",
        "starlette",
    }
    assert slow & set(modules) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_a_module_of_its_name(name: str) -> None:
    command = getattr(import_module(f"gateway.cli.{name}"), name)
    assert isinstance(command, click.Command)
    assert command.help


def test_the_version_is_shown() -> None:
    assert run("--version").output == f"gateway, version {__version__}\n"


def test_the_config_may_be_named_before_or_behind_the_command_or_by_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("[provider.mock]", "mine.toml")
    assert run("-c", "mine.toml", "check").output == "mine.toml is fine\n"
    assert run("check", "--config", "mine.toml").output == "mine.toml is fine\n"
    monkeypatch.setenv("GATEWAY_CONFIG", "mine.toml")
    assert run("check").output == "mine.toml is fine\n"


def test_a_missing_config_is_explained() -> None:
    result = run("plugins")
    assert result.exit_code == 2
    assert result.stderr == (
        "plugins.toml: no such file; write one with `gateway init`, or name another with -c or GATEWAY_CONFIG\n"
    )


@pytest.mark.parametrize("command", ["plugins", "check"])
def test_all_problems_are_printed_and_end_with_2(command: str) -> None:
    write(BAD)
    result = run(command)
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [f"plugins.toml:{problem}" for problem in BAD_PROBLEMS]
    assert result.stdout == ""


def test_another_error_is_one_line_and_ends_with_1() -> None:
    write("# mine")
    result = run("init")
    assert result.exit_code == 1
    assert result.stderr == "gateway: plugins.toml is there already; overwrite it with --force\n"


def test_check_tells_a_program_too() -> None:
    write(BAD)
    report = json.loads(run("check", "--json").stdout)
    assert report == {
        "ok": False,
        "problems": [f"plugins.toml:{problem}" for problem in BAD_PROBLEMS],
        "skipped": {},
    }


def test_check_names_skipped_providers() -> None:
    write("[provider.openai]\napi_key = { env = 'OPENAI_API_KEY' }")
    result = run("check")
    assert result.exit_code == 0
    assert result.stdout == (
        "skipped [provider.openai]: environment variable OPENAI_API_KEY is not set\nplugins.toml is fine\n"
    )


def with_plugin(monkeypatch: pytest.MonkeyPatch, **members: Any) -> None:
    """Have a plugin `service.sample` installed."""
    plugin = type("Made", (Plugin,), {"id": "service.sample", "__module__": "samples", **members})
    create = Catalogue.__init__

    def create_with(self: Catalogue, extra: Sequence[type[Plugin[Any]]] = ()) -> None:
        create(self, [*extra, plugin])

    monkeypatch.setattr(Catalogue, "__init__", create_with)


def test_live_check_starts_the_plugins_and_asks_each(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(_self: Any) -> None:
        raise GatewayError("the sample is out of stock")

    with_plugin(monkeypatch, check=check)
    write("[service.sample]\n[provider.mock]")
    assert run("check").exit_code == 0
    result = run("check", "--live")
    assert result.exit_code == 2
    assert result.stderr.endswith("[service.sample] the sample is out of stock\n")


def test_live_check_names_a_plugin_that_cannot_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def startup(_self: Any) -> None:
        raise OSError("no sample")

    with_plugin(monkeypatch, startup=startup)
    write("[service.sample]")
    result = run("check", "--live", "--json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)["problems"] == [
        "startup failed for [service.sample] (plugin service.sample from module samples): OSError: no sample"
    ]


def test_plugins_bring_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def greet() -> None:
        """Greet the operator."""
        click.echo("hello")

    @hookimpl
    def register_commands(_self: Any) -> list[click.Command]:
        return [greet]

    with_plugin(monkeypatch, register_commands=register_commands)
    write("[service.sample]")
    assert "Commands of plugins:\n  greet  Greet the operator.\n" in run("plugins").output
    assert run("greet").output == "hello\n"


def test_help_tells_of_the_commands_of_plugins_without_importing_any() -> None:
    assert "plugins bring" not in run("--help").output.replace("\n", " ")
    write(BAD, "mine.toml")
    result = run("-c", "mine.toml", "--help")
    assert result.exit_code == 0
    assert "The plugins of mine.toml may bring more; to list them: gateway plugins\n" in result.output


def test_an_unknown_command_is_refused() -> None:
    result = run("sevre")
    assert result.exit_code == 2
    assert "No such command 'sevre'." in result.stderr
    assert "Plugins bring theirs when plugins.toml enables them" in result.stderr


def test_an_unknown_option_is_refused_without_a_word_of_plugins() -> None:
    result = run("--sevre")
    assert result.exit_code == 2
    assert "--sevre" in result.stderr
    assert "lugins" not in result.stderr


def test_init_writes_a_config_that_runs_on_a_bare_machine() -> None:
    result = run("init")
    assert result.output == "Wrote plugins.toml. Next:\n  gateway keys create --name me\n  gateway serve\n"
    config = Config.from_file("plugins.toml")
    assert {table.kind for table in config.plugins} == {"auth", "provider", "middleware", "service"}
    assert run("check").exit_code == 0


def test_init_overwrites_only_when_told() -> None:
    path = write("# mine")
    assert run("init", "--force").exit_code == 0
    assert path.read_text() != "# mine"


def test_init_writes_where_the_config_is_named() -> None:
    result = run("-c", "mine.toml", "init")
    assert "gateway -c mine.toml serve" in result.output
    assert Path("mine.toml").exists()


def test_plugins_are_listed_in_order_with_the_rest_behind() -> None:
    write(
        "[middleware.metrics]\n[provider.second]\nuse = 'mock'\n[provider.openai]\napi_key = { env = 'OPENAI_API_KEY' }"
    )
    lines = [json.loads(line) for line in run("plugins", "--json").stdout.splitlines()]
    assert [(line["instance"], line["state"]) for line in lines][:3] == [
        ("middleware.metrics", "enabled"),
        ("provider.second", "enabled"),
        ("provider.openai", "skipped"),
    ]
    assert {line["state"] for line in lines[3:]} == {"installed"}
    assert lines[1]["hooks"] == ["register_providers"]
    table = run("plugins").stdout
    assert "[provider.second] (mock)" in table
    assert "skipped: environment variable OPENAI_API_KEY is not set" in table


def test_schema_is_printed_or_written() -> None:
    printed = run("schema").stdout
    assert json.loads(printed)["title"] == "plugins.toml"
    assert run("schema", "--output", "plugins.schema.json").output == ""
    assert Path("plugins.schema.json").read_text() == printed


def test_schema_that_cannot_be_written_is_explained() -> None:
    result = run("schema", "--output", "no/such/folder.json")
    assert result.exit_code == 1
    assert result.stderr == "gateway: no/such/folder.json cannot be written: No such file or directory\n"
