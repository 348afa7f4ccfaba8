"""The rules of the house, kept by tests instead of by memory."""

from __future__ import annotations

import ast
import re
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder

from gateway.facade import HOOKS, Facade
from gateway.hookspecs import Hooks
from gateway.loader import KINDS
from gateway.plugin import PluginConfig
from gateway.schema import installed
from gateway.settings import (
    Batches,
    Files,
    Identity,
    ModelRoute,
    ModelTarget,
    Prices,
    Settings,
    Timeouts,
    Upstream,
)

ROOT = Path(__file__).parents[1]
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCE_ROOTS = ("providers", "plugins", "middleware")
PLUGIN_PACKAGES = sorted(
    path
    for root in SOURCE_ROOTS
    for path in (ROOT / root).iterdir()
    if path.is_dir() and path.name != "__pycache__"
)
SOURCES = sorted(
    path
    for folder in ("gateway", *SOURCE_ROOTS)
    for path in (ROOT / folder).rglob("*.py")
    if "templates" not in path.parts
)
ALL_CODE = [
    *SOURCES,
    *sorted(
        path
        for folder in ("tests", "examples", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if not {".venv", "build", "peers"} & set(path.parts)
    ),
]
LONGEST = 400


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented(hook: str) -> None:
    text = getattr(Hooks, hook).__doc__
    assert text
    assert re.search(r"Since \d+\.\d+\.$", text), "the docstring ends with the version that first had it"
    assert f"`{hook}" in (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_has_a_method_in_the_facade_and_a_test(hook: str) -> None:
    assert callable(getattr(Facade, hook.removeprefix("register_")))
    tests = (ROOT / "tests" / "gateway" / "test_facade.py").read_text(encoding="utf-8")
    assert re.search(rf"def test_hook_{hook}\(", tests)


def test_no_file_is_long() -> None:
    lengths = {short(path): len(path.read_text(encoding="utf-8").splitlines()) for path in ALL_CODE}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_no_file_is_a_second_version_of_another() -> None:
    assert [short(path) for path in ALL_CODE if re.search(r"_v\d+$", path.stem)] == []


def test_no_source_root_is_a_package() -> None:
    assert [root for root in SOURCE_ROOTS if (ROOT / root / "__init__.py").exists()] == []


@pytest.mark.parametrize("package", PLUGIN_PACKAGES, ids=lambda path: path.name)
def test_every_plugin_is_complete_and_known_everywhere(package: Path) -> None:
    name = package.name
    assert re.fullmatch(r"gateway_[a-z0-9_]+", name)
    assert {"__init__.py", "py.typed", "README.md"} <= {path.name for path in package.iterdir()}
    assert short(package) in PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    entry_points = PYPROJECT["project"]["entry-points"]["gateway.plugins"]
    assert [plugin for plugin, target in entry_points.items() if re.split(r"[.:]", target)[0] == name]
    linter = PYPROJECT["tool"]["importlinter"]
    assert name in linter["root_packages"]
    listed = {contract["name"]: [*_modules(contract)] for contract in linter["contracts"]}
    assert name in listed["core never imports a plugin"]
    assert name in listed["plugins do not know each other"]
    assert name in listed["plugins use the public surface only"]


def _modules(contract: dict[str, Any]) -> Iterator[str]:
    for key in ("source_modules", "forbidden_modules", "modules"):
        yield from contract.get(key, ())


def test_every_entry_point_is_of_a_known_kind() -> None:
    plugins = PYPROJECT["project"]["entry-points"]["gateway.plugins"]
    assert {plugin.partition(".")[0] for plugin in plugins} <= set(KINDS)


def test_every_setting_is_described_and_nothing_changes_or_slips_in() -> None:
    classes, failures = installed()
    assert failures == {}
    models = [
        Settings,
        Timeouts,
        Upstream,
        Prices,
        Files,
        Batches,
        Identity,
        ModelRoute,
        ModelTarget,
        *(cls.Config for cls in classes.values()),
    ]
    for model in models:
        assert model.model_config.get("extra") == "forbid", model
        assert model.model_config.get("frozen"), model
        assert [name for name, field in model.model_fields.items() if not field.description] == [], model
    assert all(issubclass(cls.Config, PluginConfig) for cls in classes.values())


def test_the_wheel_holds_nothing_but_gateway_packages(tmp_path: Path) -> None:
    builder = WheelBuilder(str(ROOT))
    (wheel,) = builder.build(directory=str(tmp_path), versions=["standard"])
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    packages = {top for top in tops if not top.endswith(".dist-info")}
    assert packages == {"gateway", *(package.name for package in PLUGIN_PACKAGES)}
    assert "gateway/py.typed" in names
    assert "gateway/templates/plugins.toml" in names


def test_the_shipped_config_is_what_init_writes() -> None:
    template = ROOT / "gateway" / "templates" / "plugins.toml"
    assert (ROOT / "plugins.toml").read_bytes() == template.read_bytes()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def dotted(node: ast.AST) -> str:
    """Give `os.environ` for the expression `os.environ`, and nothing for what is no name."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{dotted(node.value)}.{node.attr}"
        case _:
            return ""


def test_the_environment_is_read_in_two_places_only() -> None:
    banned = {"os.environ", "os.environb", "os.getenv", "os.putenv"}
    found: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            names = {dotted(node)}
            if isinstance(node, ast.ImportFrom):
                names = {f"{node.module}.{alias.name}" for alias in node.names}
            if names & banned:
                found.add(short(path))
    assert found == {"gateway/config.py", "gateway/secrets.py"}


EMPTY_CONTAINERS = {
    *("dict", "list", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"),
    *("WeakKeyDictionary", "WeakValueDictionary", "WeakSet", "ContextVar", "local"),
}
CACHES = {"cache", "lru_cache", "functools.cache", "functools.lru_cache"}
MUTATORS = {
    *(
        "append",
        "extend",
        "insert",
        "remove",
        "pop",
        "popitem",
        "clear",
        "update",
        "setdefault",
        "add",
        "discard",
    ),
    *("appendleft", "popleft", "sort", "reverse"),
}


def module_state(path: Path) -> Iterator[str]:
    """Whatever lets two gateways in one process meet: containers to be filled, caches, `global`, changed constants."""
    module = parsed(path)
    names: set[str] = set()
    for statement in module.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            names.update(dotted(target) for target in targets)
            if statement.value is not None and is_empty_container(statement.value):
                yield f"{short(path)}:{statement.lineno}: a container to be filled"
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            decorators = {dotted(d.func if isinstance(d, ast.Call) else d) for d in statement.decorator_list}
            if decorators & CACHES:
                yield f"{short(path)}:{statement.lineno}: a cache"
    for node in ast.walk(module):
        if isinstance(node, ast.Global):
            yield f"{short(path)}:{node.lineno}: global"
        elif changed(node) & names - {"__all__"}:
            yield f"{short(path)}:{getattr(node, 'lineno', 0)}: a module's constant is changed"


def is_empty_container(value: ast.expr) -> bool:
    match value:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call():
            return dotted(value.func).rpartition(".")[2] in EMPTY_CONTAINERS
        case _:
            return False


def changed(node: ast.AST) -> set[str]:
    """Which names a statement changes in place."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attribute)) if attribute in MUTATORS:
            return {name}
        case ast.Assign(targets=targets) | ast.Delete(targets=targets):
            return {dotted(target.value) for target in targets if isinstance(target, ast.Subscript)}
        case ast.AugAssign(target=ast.Subscript(value=value)):
            return {dotted(value)}
        case _:
            return set()


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_no_module_holds_state(path: Path) -> None:
    assert list(module_state(path)) == []


@pytest.mark.parametrize(
    "source",
    [
        "seen = {}",
        "seen: dict[str, int] = dict()",
        "from collections import deque\nqueue = deque(maxlen=3)",
        "from functools import cache\n@cache\ndef f(): ...",
        "from functools import lru_cache\n@lru_cache(maxsize=3)\ndef f(): ...",
        "n = 0\ndef f():\n    global n",
        "known = {1: 2}\ndef f():\n    known[3] = 4",
        "known = {1: 2}\ndef f():\n    known.setdefault(3, 4)",
        "known = [1]\ndef f():\n    del known[0]",
    ],
)
def test_the_guard_sees_state(tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ROOT", tmp_path)
    path = tmp_path / "module.py"
    path.write_text(source)
    assert list(module_state(path))
