"""What every plugin promises, whatever it does."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, NoReturn, cast, get_args

import pytest
from pydantic import BaseModel, ValidationError

from gateway.app import Gateway
from gateway.loader import GROUP
from gateway.plugin import API_VERSION, Plugin, PluginConfig
from gateway.secrets import Secret
from gateway.testing.contracts.running import in_event_loop
from gateway.testing.fakes import plugin_context

NAME = "contract"
"""The instance name under which the suites run a plugin."""

NOWHERE = "http://127.0.0.1:9"
"""Stands for the fake upstream where no request is sent."""

SECRET_WORDS = ("api_key", "api_keys", "password", "secret", "token")


class PluginContract:
    """The suite for plugins of any kind; those for one kind build on it. Set `plugin`, and `config` if it needs one."""

    plugin: type[Plugin[Any]]
    kind: ClassVar[str] = "service"

    def config(self) -> Mapping[str, Any]:
        """Give the settings to test with. `{upstream}` in a text becomes the address of the fake upstream."""
        return {}

    def settings(self, upstream: str = NOWHERE) -> dict[str, Any]:
        """Give `config()` with the address filled in."""
        return cast("dict[str, Any]", _filled(self.config(), upstream))

    def validated(self, upstream: str = NOWHERE) -> PluginConfig:
        """Give the settings as the plugin gets them."""
        return self.plugin.Config.model_validate(self.settings(upstream))

    @asynccontextmanager
    async def gateway(
        self,
        folder: Path,
        *,
        settings: Mapping[str, Any] | None = None,
        plugins: Sequence[type[Plugin[Any]]] = (),
    ) -> AsyncGenerator[Gateway]:
        """Start a gateway with this plugin and others, which come after it and need no settings."""
        config: dict[str, dict[str, Any]] = {"gateway": {"database": f"sqlite:///{folder / 'gateway.db'}"}}
        kind, _, use = self.plugin.id.partition(".")
        config[kind] = {NAME: {"use": use, **(self.settings() if settings is None else settings)}}
        for other in plugins:
            kind, _, name = other.id.partition(".")
            config.setdefault(kind, {})[name] = {}
        gateway = Gateway.from_dict(config, plugins=[self.plugin, *plugins])
        async with gateway.lifespan():
            yield gateway

    def test_says_what_it_is(self) -> None:
        kind, _, name = self.plugin.id.partition(".")
        assert kind == self.kind, f"id must be '{self.kind}.<name>', not {self.plugin.id!r}"
        assert name, "id must be '<kind>.<name>'"
        assert 1 <= self.plugin.api <= API_VERSION, f"this gateway speaks plugin API {API_VERSION}"
        assert self.plugin.__doc__, "the class needs a docstring that says what the plugin does"

    def test_entry_point_leads_to_it(self) -> None:
        found = entry_points(group=GROUP, name=self.plugin.id)
        if not found:
            pytest.skip("not installed: `pip install -e .` makes its entry point known")
        assert [entry.load() for entry in found] == [self.plugin]

    def test_config_describes_every_field(self) -> None:
        missing = [name for name, field in _fields(self.plugin.Config) if not field.description]
        assert not missing, f"give these fields a description: {', '.join(missing)}"

    def test_config_refuses_unknown_keys(self) -> None:
        with pytest.raises(ValidationError):
            self.plugin.Config.model_validate({**self.settings(), "no_such_key": 1})

    def test_config_never_changes(self) -> None:
        config = self.validated()
        with pytest.raises((ValidationError, ValueError)):
            config.__setattr__(next(iter(type(config).model_fields), "new"), None)

    def test_secrets_are_secret(self) -> None:
        bare = [
            name
            for name, field in _fields(self.plugin.Config)
            if name.endswith(SECRET_WORDS) and str in (field.annotation, *get_args(field.annotation))
        ]
        assert not bare, f"use gateway.Secret for {', '.join(bare)}"

    def test_secrets_do_not_leak(self) -> None:
        config = self.validated()
        shown = f"{config!r} {config} {config.model_dump_json()} {config.model_dump()}"
        for secret in _secrets(config):
            assert secret.reveal() not in shown

    def test_config_has_a_schema(self) -> None:
        schema = self.plugin.Config.model_json_schema()
        assert schema["type"] == "object"
        assert json.loads(json.dumps(schema)) == schema

    def test_constructing_has_no_side_effects(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = tmp_path / "here"
        folder.mkdir()
        config = self.validated()
        context = plugin_context(tmp_path)
        threads = threading.enumerate()
        monkeypatch.chdir(folder)
        self.plugin(NAME, config, context)  # a library first imported here may look for IPv6 by a socket
        with monkeypatch.context() as patch:
            patch.setattr(socket, "socket", _refuse_socket)
            self.plugin(NAME, config, context)
        assert threading.enumerate() == threads, "start threads in startup()"
        assert not list(folder.iterdir()), "open files in startup()"
        assert not list(tmp_path.glob("*.db")), "use the database in startup()"

    @in_event_loop
    async def test_starts_and_stops_again_and_again(self, tmp_path: Path) -> None:
        async with self.gateway(tmp_path) as gateway:
            assert [plugin.name for plugin in gateway.registry.plugins] == [NAME]
        async with gateway.lifespan():
            assert gateway.registry.describe()[0].hooks, "it implements no hook, so it does nothing"

    @in_event_loop
    async def test_two_gateways_share_nothing(self, tmp_path: Path) -> None:
        other = tmp_path / "other"
        other.mkdir()
        async with self.gateway(tmp_path) as first, self.gateway(other) as second:
            (one,), (two,) = first.registry.plugins, second.registry.plugins
            assert one is not two
            assert one.context is not two.context


def secrets_of(config: PluginConfig) -> list[str]:
    """Give every secret in the settings, in clear."""
    return [secret.reveal() for secret in _secrets(config)]


def _refuse_socket(*_args: object, **_kwargs: object) -> NoReturn:
    pytest.fail("a socket was opened while constructing; do that in startup()")


def _filled(value: Any, upstream: str) -> Any:
    match value:
        case str():
            return value.replace("{upstream}", upstream)
        case Mapping():
            return {key: _filled(item, upstream) for key, item in cast("Mapping[str, Any]", value).items()}
        case list() | tuple():
            return [_filled(item, upstream) for item in cast("Sequence[Any]", value)]
        case _:
            return value


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}", field
        for inner in _models(field.annotation):
            if inner is not model:
                yield from _fields(inner, f"{prefix}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _secrets(value: object) -> Iterator[Secret]:
    match value:
        case Secret():
            yield value
        case BaseModel():
            for name in type(value).model_fields:
                yield from _secrets(getattr(value, name))
        case Mapping():
            for item in cast("Mapping[str, object]", value).values():
                yield from _secrets(item)
        case list() | tuple():
            for item in cast("Sequence[object]", value):
                yield from _secrets(item)
        case _:
            pass
