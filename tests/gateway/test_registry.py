"""The life of plugins: construct, register, start, check, stop; and who is named when one fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from pydantic import Field

from gateway import Plugin, PluginConfig, Secret, hookimpl
from gateway.config import Config
from gateway.errors import ConfigError, GatewayError, PluginError
from gateway.facade import HOOKS
from gateway.hookspecs import Hooks
from gateway.plugin import Context
from gateway.registry import Registry

NOTHING: Any = None
"""For what a context lends and nobody here uses."""


def build(data: dict[str, Any], *plugins: type[Plugin[Any]], context: Context | None = None) -> Registry:
    context = context or Context(client=NOTHING, database=NOTHING)
    return Registry.build(Config.from_dict(data, extra=plugins), context, plugins)


def make(plugin: str, **members: Any) -> type[Plugin[Any]]:
    """Write a plugin class by its id and members."""
    return type("Made", (Plugin,), {"id": plugin, "__module__": "samples", **members})


def recorder(name: str, said: list[str], failing: Sequence[str] = ()) -> type[Plugin[Any]]:
    """Make a plugin that records its life, and fails where it is told to."""

    def step(phase: str) -> Any:
        async def run(_self: Any) -> None:
            said.append(f"{phase} {name}")
            if phase in failing:
                raise OSError(f"{name} cannot {phase}")

        return run

    return make(f"service.{name}", **{phase: step(phase) for phase in ("startup", "check", "shutdown")})


def test_an_instance_has_its_name_its_config_and_the_context() -> None:
    class Sample(Plugin[Any]):
        id = "provider.sample"

        class Config(PluginConfig):
            base_url: str = Field(description="Where it is.")

    context = Context(client=NOTHING, database=NOTHING)
    tables = {"sample": {"base_url": "one"}, "eu": {"use": "sample", "base_url": "two"}}
    registry = build({"provider": tables}, Sample, context=context)
    assert [(plugin.name, plugin.config.base_url) for plugin in registry.plugins] == [
        ("sample", "one"),
        ("eu", "two"),
    ]
    assert registry.plugins[0].context is context
    assert registry.plugins[0].log.name == "gateway.plugin.provider.sample"


def test_two_registries_share_no_plugin() -> None:
    plugin = make("service.sample")
    one, two = (build({"service": {"sample": {}}}, plugin) for _ in range(2))
    assert one.plugins[0] is not two.plugins[0]


def test_the_problems_of_all_plugins_come_at_once() -> None:
    class Strict(Plugin[Any]):
        id = "service.strict"

        class Config(PluginConfig):
            size: int = Field(description="A number.")

    tables = {"strict": {"size": "big"}, "second": {"use": "strict", "sice": 3}, "third": {"use": "strikt"}}
    with pytest.raises(ConfigError) as raised:
        build({"service": tables}, Strict)
    assert raised.value.problems == (
        "[service.second] sice: unknown key, did you mean 'size'?",
        "[service.second] size: required key is missing",
        "[service.strict] size: must be a whole number, not a string",
        "[service.third]: unknown service 'strikt', did you mean 'strict'?",
    )


async def test_plugins_start_in_order_and_stop_in_reverse() -> None:
    said: list[str] = []
    registry = build({"service": {"a": {}, "b": {}}}, recorder("b", said), recorder("a", said))
    await registry.start()
    assert await registry.check() == {}
    await registry.stop()
    await registry.stop()
    assert said == ["startup a", "startup b", "check a", "check b", "shutdown b", "shutdown a"]


async def test_a_plugin_that_cannot_start_stops_those_that_have() -> None:
    said: list[str] = []
    plugins = [
        recorder("a", said),
        recorder("b", said),
        recorder("c", said, ["startup"]),
        recorder("d", said),
    ]
    registry = build({"service": {"a": {}, "b": {}, "c": {}, "d": {}}}, *plugins)
    with pytest.raises(PluginError) as raised:
        await registry.start()
    assert raised.value.message == (
        "startup failed for [service.c] (plugin service.c from module samples): OSError: c cannot startup"
    )
    assert isinstance(raised.value.__cause__, OSError)
    assert said == ["startup a", "startup b", "startup c", "shutdown b", "shutdown a"]


async def test_a_plugin_that_cannot_stop_is_logged_and_keeps_nobody(caplog: pytest.LogCaptureFixture) -> None:
    said: list[str] = []
    registry = build({"service": {"a": {}, "b": {}}}, recorder("a", said), recorder("b", said, ["shutdown"]))
    await registry.start()
    await registry.stop()
    assert said[-2:] == ["shutdown b", "shutdown a"]
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "shutdown failed for [service.b]" in record.getMessage()
    assert record.exc_info


async def test_every_plugin_is_checked_though_one_fails() -> None:
    said: list[str] = []
    registry = build({"service": {"a": {}, "b": {}}}, recorder("a", said, ["check"]), recorder("b", said))
    assert await registry.check() == {"service.a": "OSError: a cannot check"}
    assert said == ["check a", "check b"]


def test_a_plugin_that_cannot_be_constructed_is_named() -> None:
    def refuse(*_: Any) -> None:
        raise GatewayError("not today")

    with pytest.raises(PluginError) as raised:
        build({"service": {"mine": {"use": "sample"}}}, make("service.sample", __init__=refuse))
    error = raised.value
    assert (error.phase, error.plugin, error.instance) == ("construct", "service.sample", "service.mine")
    assert error.message.endswith("(plugin service.sample from module samples): not today")


def test_a_plugin_that_forgets_its_base_class_is_told() -> None:
    def forget(_self: Any, *_given: Any) -> None: ...

    forgetful = make("service.bad", __init__=forget)
    with pytest.raises(
        PluginError, match=r"^construct failed for \[service.bad\].*must call super\(\).__init__"
    ):
        build({"service": {"bad": {}}}, forgetful)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (3, "plugins: 3 is not a subclass of gateway.Plugin"),
        ("service.bad", "plugins: 'service.bad' is not a subclass of gateway.Plugin"),
        (
            type("Nameless", (Plugin,), {}),
            "plugins: Nameless.id must be KIND.NAME, not None; kinds: provider",
        ),
        (make("bad"), "plugins: Made.id must be KIND.NAME, not 'bad'; kinds: provider"),
        (make("thing.bad"), "plugins: Made.id must be KIND.NAME, not 'thing.bad'; kinds: provider"),
        (make("service.good"), "plugins: Made and Made both have the id 'service.good'"),
    ],
)
def test_what_a_program_gives_that_is_no_plugin_is_refused(given: Any, problem: str) -> None:
    good = make("service.good")
    with pytest.raises(ConfigError) as raised:
        build({"service": {"good": {}}}, good, good, given)
    assert raised.value.message.startswith(problem)


def test_a_plugin_without_settings_says_that_it_has_none() -> None:
    with pytest.raises(ConfigError) as raised:
        build({"service": {"sample": {"size": 3}}}, make("service.sample"))
    assert raised.value.problems == ("[service.sample] size: unknown key; there are no keys here",)


def test_all_plugins_that_cannot_be_constructed_are_named_beside_what_is_wrong_in_the_file() -> None:
    def refuse(*_: Any) -> None:
        raise GatewayError("not today")

    refusing = make("service.sample", __init__=refuse)
    tables = {"one": {"use": "sample"}, "two": {"use": "sample"}, "three": {"use": "sampel"}}
    with pytest.raises(ConfigError) as raised:
        build({"service": tables}, refusing)
    assert raised.value.problems == (
        "[service.three]: unknown service 'sampel', did you mean 'sample'?",
        "construct failed for [service.one] (plugin service.sample from module samples): not today",
        "construct failed for [service.two] (plugin service.sample from module samples): not today",
    )


@hookimpl
def misspelt(_self: Any) -> list[Any]:
    return []


@hookimpl
def with_argument(_self: Any, app: Any) -> list[Any]:
    return [app]


@hookimpl(tryfirst=True)
def pushy(_self: Any) -> list[Any]:
    return []


def unmarked(_self: Any) -> list[Any]:
    return []


@hookimpl
async def waiting(_self: Any) -> list[Any]:
    return []


@hookimpl
def yielding(_self: Any) -> Iterator[Any]:
    yield 1


@pytest.mark.parametrize(
    ("hook", "function", "problem"),
    [
        (
            "register_provider",
            misspelt,
            "unknown hook 'register_provider', did you mean 'register_providers'?",
        ),
        (
            "register_sinks",
            with_argument,
            "Argument(s) {'app'} are declared in the hookimpl but can not be found in the hookspec",
        ),
        (
            "register_sinks",
            pushy,
            "register_sinks: order comes from the config file, so use @hookimpl without options",
        ),
        ("register_sinks", unmarked, "register_sinks is not marked with @hookimpl"),
        ("register_sinks", waiting, "register_sinks: hooks are neither async nor generators; return a list"),
        ("register_sinks", yielding, "register_sinks: hooks are neither async nor generators; return a list"),
    ],
)
def test_a_hook_that_would_never_fire_is_refused(hook: str, function: Any, problem: str) -> None:
    good = make("service.good")
    with pytest.raises(PluginError) as raised:
        build({"service": {"good": {}, "bad": {}}}, good, make("service.bad", **{hook: function}))
    assert raised.value.message == (
        f"register failed for [service.bad] (plugin service.bad from module samples): {problem}"
    )


async def test_a_skipped_provider_is_logged_at_the_start_and_described(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Sample(Plugin[Any]):
        id = "provider.sample"

        class Config(PluginConfig):
            api_key: Secret = Field(description="A key.")

        @hookimpl
        def register_providers(self) -> list[Any]:
            return []

        @hookimpl
        def register_routes(self) -> list[Any]:
            return []

    tables = {
        "sample": {"api_key": {"env": "UNSET_SAMPLE_KEY"}},
        "eu": {"use": "sample", "api_key": "literal"},
    }
    registry = build({"provider": tables}, Sample)
    assert caplog.records == []
    await registry.start()
    assert [record.getMessage() for record in caplog.records] == [
        "[provider.sample] is skipped: environment variable UNSET_SAMPLE_KEY is not set"
    ]
    enabled, skipped = registry.describe()
    assert (enabled.instance, enabled.id, enabled.state) == ("provider.eu", "provider.sample", "enabled")
    assert enabled.hooks == ("register_providers", "register_routes")
    assert (skipped.instance, skipped.state) == ("provider.sample", "skipped")
    assert skipped.reason == "environment variable UNSET_SAMPLE_KEY is not set"


@pytest.mark.parametrize(
    "table", [{"api_key": {"env": "UNSET_SAMPLE_KEY"}, "sice": 3}, {"api_key": {"file": "no-such-file"}}]
)
def test_a_provider_with_any_other_problem_is_not_skipped(table: dict[str, Any]) -> None:
    class Sample(Plugin[Any]):
        id = "provider.sample"

        class Config(PluginConfig):
            api_key: Secret = Field(description="A key.")

    with pytest.raises(ConfigError):
        build({"provider": {"sample": table}}, Sample)


def test_the_hooks_are_those_of_the_specification() -> None:
    assert set(HOOKS) == {name for name in dir(Hooks) if not name.startswith("_")}
