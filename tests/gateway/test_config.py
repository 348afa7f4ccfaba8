"""Reading plugins.toml: what comes out of a good one, and the exact words for a bad one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field, ValidationError

from gateway import Plugin, PluginConfig, Secret
from gateway.config import Config, config_path, environment
from gateway.errors import ConfigError
from gateway.loader import load

CASES = sorted((Path(__file__).parent / "config" / "cases").glob("*.toml"))


class SampleProvider(Plugin[Any]):
    id = "provider.sample"

    class Config(PluginConfig):
        base_url: str | None = Field(default=None, description="Where it is.")
        api_key: Secret | None = Field(default=None, description="A key.")
        api_keys: list[Secret] = Field(default=[], description="Several keys.")
        headers: dict[str, str | Secret] = Field(default={}, description="More headers.")
        models: list[str] = Field(default=[], description="What it serves.")


class SampleAuth(Plugin[Any]):
    id = "auth.sample"

    class Config(PluginConfig):
        token: Secret = Field(description="A token.")


class Newer(Plugin[Any]):
    id = "service.newer"
    api = 2


SAMPLES: Sequence[type[Plugin[Any]]] = (SampleProvider, SampleAuth, Newer)


def read(path: str) -> Config:
    """Read a config and load its plugins, as building a gateway does."""
    config = Config.from_file(path, extra=SAMPLES)
    problems = load(config.plugins, config.document, SAMPLES).problems
    if problems:
        raise ConfigError([problem.text for problem in sorted(problems)])
    return config


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_bad_config_is_explained(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case.parent)
    with pytest.raises(ConfigError) as raised:
        read(case.name)
    text = "\n".join(raised.value.problems) + "\n"
    assert text.replace(__name__, "samples") == case.with_suffix(".txt").read_text(encoding="utf-8")


def written(folder: Path, text: str) -> Path:
    path = folder / "plugins.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    path = tmp_path / "plugins.toml"
    with pytest.raises(ConfigError) as raised:
        Config.from_file(path)
    expected = (
        f"{path}: no such file; write one with `gateway init`, or name another with -c or GATEWAY_CONFIG"
    )
    assert raised.value.problems == (expected,)


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        Config.from_file(tmp_path)


def test_a_config_from_a_mapping_has_no_lines() -> None:
    with pytest.raises(ConfigError) as raised:
        Config.from_dict({"gateway": {"durabilty": "intent"}})
    assert raised.value.problems == ("[gateway] durabilty: unknown key, did you mean 'durability'?",)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (None, "the config must be a mapping of tables, as plugins.toml has them, not NoneType"),
        ([], "the config must be a mapping of tables, as plugins.toml has them, not list"),
        ({1: {}}, "the config: the key 1 must be a string, not int"),
        ({"provider": {1: {}}}, "[provider]: the key 1 must be a string, not int"),
    ],
)
def test_what_is_no_mapping_of_tables_is_refused(data: Any, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Config.from_dict(data)
    assert raised.value.problems == (problem,)


def test_a_database_that_is_not_known_has_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, '[gateway]\ndatabase = "mysql://somebody:secret@host/name"')
    with pytest.raises(ConfigError) as raised:
        Config.from_file(path).database()
    (problem,) = raised.value.problems
    assert problem.startswith(f"{path}:2: [gateway] database: the scheme 'mysql' is not known")
    assert "secret" not in problem


def test_a_byte_order_mark_is_no_part_of_the_config(tmp_path: Path) -> None:
    assert Config.from_file(written(tmp_path, "\ufeff[auth.sample]")).plugins[0].instance == "auth.sample"


def test_an_empty_config_has_the_defaults(tmp_path: Path) -> None:
    config = Config.from_file(written(tmp_path, ""))
    settings = config.settings
    assert settings.database.reveal() == f"sqlite:///{tmp_path}/gateway.db"
    assert (settings.durability, settings.on_disconnect) == ("intent", "cancel")
    assert (settings.max_body_bytes, settings.keepalive_seconds, settings.drain_seconds) == (33554432, 15, 30)
    assert settings.timeouts.model_dump() == {
        "connect": 5,
        "first_byte": 300,
        "idle": 120,
        "total": 900,
        "session": 3600,
    }
    assert settings.upstream.max_connections == 1000
    assert settings.prices.unknown == "flag"
    assert config.plugins == ()
    assert config.models == {}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/calls.db?synchronous=full", "sqlite:///{folder}/data/calls.db?synchronous=full"),
        ("sqlite:////var/lib/calls.db", "sqlite:////var/lib/calls.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("sqlite://", "sqlite://"),
        ("postgresql://user@127.0.0.1/name", "postgresql://user@127.0.0.1/name"),
    ],
)
def test_a_relative_database_lies_beside_the_config(tmp_path: Path, url: str, expected: str) -> None:
    config = Config.from_file(written(tmp_path, f'[gateway]\ndatabase = "{url}"'))
    assert config.settings.database.reveal() == expected.format(folder=tmp_path)


def test_a_relative_database_of_a_mapping_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Config.from_dict({}).settings.database.reveal() == f"sqlite:///{tmp_path}/gateway.db"


def test_a_database_may_be_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_URL", "sqlite:///secret.db")
    config = Config.from_file(written(tmp_path, '[gateway]\ndatabase = { env = "SAMPLE_URL" }'))
    assert config.settings.database.reveal() == f"sqlite:///{tmp_path}/secret.db"
    assert "secret.db" not in repr(config.settings)


def test_prices_are_exact_and_their_book_lies_beside_the_config(tmp_path: Path) -> None:
    text = """
        [gateway.prices]
        unknown = "fallback"
        fallback_input = 0.15
        fallback_output = 2
        book = "prices.toml"
        """
    prices = Config.from_file(written(tmp_path, text)).settings.prices
    assert (prices.fallback_input, prices.fallback_output) == (Decimal("0.15"), Decimal(2))
    assert prices.book == tmp_path / "prices.toml"


def test_plugins_keep_the_order_of_the_file_across_kinds(tmp_path: Path) -> None:
    text = "[middleware.b]\n[provider.a.deep]\n[auth.c]\n[provider.z]\nuse = 'a'\n[middleware.a]"
    config = Config.from_file(written(tmp_path, text))
    assert [table.instance for table in config.plugins] == [
        "middleware.b",
        "provider.a",
        "auth.c",
        "provider.z",
        "middleware.a",
    ]
    assert [table.plugin for table in config.plugins if table.kind == "provider"] == [
        "provider.a",
        "provider.a",
    ]


def test_plugins_keep_the_order_of_a_mapping() -> None:
    config = Config.from_dict({"middleware": {"b": {}}, "auth": {"c": {}, "a": {}}})
    assert [table.instance for table in config.plugins] == ["middleware.b", "auth.c", "auth.a"]


def test_models_have_targets_as_text_or_table() -> None:
    targets = ["sample:a:b", {"to": "sample:c", "weight": 3, "tier": 2}]
    config = Config.from_dict({"provider": {"sample": {}}, "models": {"fast": {"targets": targets}}})
    route = config.models["fast"]
    assert [(target.provider, target.model, target.tier) for target in route.targets] == [
        ("sample", "a:b", 1),
        ("sample", "c", 2),
    ]
    assert route.policy == "priority"


def test_nothing_in_a_config_changes() -> None:
    config: Any = Config.from_dict({"models": {}})
    with pytest.raises(TypeError):
        config.models["x"] = None
    with pytest.raises(AttributeError):
        config.models = {}
    with pytest.raises(ValidationError):
        config.settings.drain_seconds = 1


def test_the_config_is_that_of_the_option_or_the_environment_or_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    assert config_path() == Path("plugins.toml")
    monkeypatch.setenv("GATEWAY_CONFIG", "/etc/gateway.toml")
    assert config_path() == Path("/etc/gateway.toml")
    assert config_path("mine.toml") == Path("mine.toml")


def test_the_environment_cannot_be_changed_through_the_config() -> None:
    variables: Any = environment()
    with pytest.raises(TypeError):
        variables["SAMPLE"] = "x"
