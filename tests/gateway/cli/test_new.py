from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway import Plugin
from gateway.cli import main
from gateway.cli.new import KINDS, plugin_files
from gateway.config import environment
from gateway.loader import KINDS as LOADED_KINDS
from gateway.testing.docs import config_table

OPTIONS = (
    "-q",
    *("-p", "gateway.testing.pytest_plugin", "-p", "anyio", "-p", "no:cacheprovider"),
    *("-p", "pytest_asyncio.plugin"),
)
"""Pytest with what the gateway brings and needs, and with the plugin that most authors have installed as well; the
others that are installed here take longer than the tests."""


def new(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["new", *map(str, arguments)])
    return result.exit_code, result.output


def test_there_is_a_template_for_every_kind() -> None:
    assert set(KINDS) == set(LOADED_KINDS)


def run(folder: Path, *module: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=folder,
        env={**environment(), **more},
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_new_package_passes_its_own_tests(kind: str, tmp_path: Path) -> None:
    code, output = new(kind, "acme-cloud", "--path", tmp_path)
    assert code == 0, output
    folder = tmp_path / "gateway-acme-cloud"
    assert "passed" in run(folder, "pytest", *OPTIONS, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


@pytest.mark.slow
def test_new_packages_are_clean(tmp_path: Path) -> None:
    sources: list[str] = []
    for kind in KINDS:
        new(kind, f"acme-{kind}", "--path", tmp_path)
        folder = tmp_path / f"gateway-acme-{kind}"
        sources.append(f"{folder.name}/src")
        run(folder, "ruff", "check", "--isolated", "--select", "B,E,F,I,UP,W", "--ignore", "E501")
    settings = {"extraPaths": sources, "strict": sources}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    run(tmp_path, "pyright", "--pythonpath", sys.executable)


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_a_package(kind: str) -> None:
    files = dict(plugin_files(kind, "acme-cloud"))
    project = tomllib.loads(files["pyproject.toml"])
    (entry,) = project["project"]["entry-points"]["gateway.plugins"].items()
    assert entry == (f"{kind}.acme-cloud", f"gateway_acme_cloud:AcmeCloud{kind.title()}")
    assert {"README.md", ".gitignore", "src/gateway_acme_cloud/py.typed"} <= set(files)
    for name, text in files.items():
        assert "$" not in text, f"{name}: something is not filled in"
        if name.endswith(".py"):
            ast.parse(text)
    snippet = files["README.md"].split("```toml\n")[1].split("```")[0]
    assert list(tomllib.loads(snippet)) == [kind]


@pytest.mark.parametrize("kind", KINDS)
def test_readme_describes_the_settings(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new(kind, "acme-cloud", "--path", tmp_path)
    folder = tmp_path / "gateway-acme-cloud"
    spec = spec_from_file_location("new_plugin", folder / "src/gateway_acme_cloud/plugin.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "new_plugin", module)
    spec.loader.exec_module(module)
    plugin: type[Plugin[Any]] = getattr(module, f"AcmeCloud{kind.title()}")
    assert config_table(plugin.Config) in (folder / "README.md").read_text()


def test_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "gateway-acme").mkdir()
    code, output = new("provider", "acme", "--path", tmp_path)
    assert code == 1
    assert "exists already" in output
    assert not list((tmp_path / "gateway-acme").iterdir())


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Acme", "lower-case"),
        ("acme_cloud", "lower-case"),
        ("1acme", "beginning with a letter"),
        ("acme--cloud", "single '-'"),
        ("../acme", "lower-case"),
        ("gateway-acme", "leave out the prefix: acme"),
    ],
)
def test_bad_names_are_explained(name: str, problem: str, tmp_path: Path) -> None:
    code, output = new("provider", name, "--path", tmp_path)
    assert code == 2
    assert problem in " ".join(output.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "name", "problem"),
    [
        ("provider", "mock", "has the plugin provider.mock already"),
        ("sink", "webhook", "has the plugin sink.webhook already"),
        ("service", "openai", "a package gateway_openai is installed already"),
    ],
)
def test_names_that_are_taken_are_refused(kind: str, name: str, problem: str, tmp_path: Path) -> None:
    code, output = new(kind, name, "--path", tmp_path)
    assert code == 2
    assert problem in " ".join(output.split())
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = tmp_path / "file" / "below"
    code, output = new("provider", "acme", "--path", below)
    assert code == 1
    assert output.startswith(f"gateway: {tmp_path / 'file'}")
    assert "cannot be written" in output


def test_unknown_kind_names_the_kinds(tmp_path: Path) -> None:
    code, output = new("providers", "acme", "--path", tmp_path)
    assert code == 2
    assert all(kind in output for kind in KINDS)
