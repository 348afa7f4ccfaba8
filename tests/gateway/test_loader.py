"""Plugins of other distributions: found by name, imported only when named, and what is said when that fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any, cast

import pytest

from gateway.config import Config
from gateway.errors import ConfigError
from gateway.loader import Catalogue, LoadError, Loading, load
from gateway.plugin import Context
from gateway.registry import Registry

Install = Callable[..., None]

NOTHING: Any = None
"""For what a context lends and nobody here uses."""

PLUGIN = """
from gateway import Plugin
class Acme(Plugin):
    id = "service.acme"
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a module as a distribution with one plugin in it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def make(
        source: str,
        *,
        name: str = "service.acme",
        distribution: str = "gateway-acme",
        module: str = "gateway_acme_sample",
        requires: str = "",
    ) -> None:
        (tmp_path / f"{module}.py").write_text(dedent(source))
        info = tmp_path / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n{requires}"
        )
        (info / "entry_points.txt").write_text(f"[gateway.plugins]\n{name} = {module}:Acme\n")

    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


def loaded(**kinds: dict[str, dict[str, object]]) -> Loading:
    config = Config.from_dict(kinds)
    return load(config.plugins, config.document)


def problem_of_acme() -> str:
    (problem,) = loaded(service={"acme": {}}).problems
    return problem.text


def test_a_plugin_of_another_distribution_is_found(install: Install) -> None:
    install(PLUGIN)
    (plugin,) = loaded(service={"acme": {}}).plugins
    assert plugin.cls.id == "service.acme"
    assert plugin.distribution == "gateway-acme 1.2"


def test_only_what_is_named_is_imported(install: Install) -> None:
    install(PLUGIN)
    assert "service.acme" in list(Catalogue())
    assert loaded().plugins == []
    assert "gateway_acme_sample" not in sys.modules


def test_an_import_that_fails_names_the_plugin_its_home_and_the_fault(install: Install) -> None:
    install("raise RuntimeError('broken on purpose')")
    assert problem_of_acme() == (
        "[service.acme]: load failed (plugin service.acme from gateway-acme 1.2): RuntimeError: broken on purpose"
    )


def test_an_import_that_fails_is_the_cause_of_the_error(install: Install) -> None:
    install("raise RuntimeError('broken on purpose')")
    config = Config.from_dict({"service": {"acme": {}}})
    with pytest.raises(ConfigError) as raised:
        Registry.build(config, Context(client=NOTHING, database=NOTHING))
    (error,) = cast("ExceptionGroup[Exception]", raised.value.__cause__).exceptions
    assert isinstance(error, LoadError)
    assert isinstance(error.__cause__, RuntimeError)


def test_a_missing_extra_says_what_to_install(install: Install) -> None:
    install(
        "import acme_client.http",
        requires="Requires-Dist: other>=1\nRequires-Dist: Acme.Client[http]>=3 ; extra == 'remote'\n",
    )
    assert problem_of_acme().endswith('it needs acme_client: pip install "gateway-acme[remote]"')


def test_the_extra_of_the_plugins_own_name_goes_before_others(install: Install) -> None:
    install(
        "import acme_client.http",
        requires="Requires-Dist: Acme.Client ; extra == 'remote'\nRequires-Dist: py-acme>=3 ; extra == 'acme'\n",
    )
    assert problem_of_acme().endswith('it needs acme_client: pip install "gateway-acme[acme]"')


def test_a_module_that_the_plugin_lacks_itself_is_in_no_extra(install: Install) -> None:
    install(
        "import gateway_acme_sample.http",
        requires="Requires-Dist: py-acme>=3 ; extra == 'acme'\n",
    )
    assert problem_of_acme().endswith(
        "it needs the module 'gateway_acme_sample.http', which is not installed"
    )


def test_a_missing_module_of_no_extra_is_named(install: Install) -> None:
    install("import acme_client.http")
    assert problem_of_acme().endswith("it needs the module 'acme_client', which is not installed")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("Acme = 3", "3 is not a subclass of gateway.Plugin"),
        (PLUGIN.replace("service.acme", "service.other"), "Acme.id is 'service.other', not 'service.acme'"),
        (PLUGIN.replace('id = "service.acme"', "pass"), "Acme.id is None, not 'service.acme'"),
        (PLUGIN + "    api = 2", "upgrade asgi-gateway, or install an older version of the plugin"),
        (PLUGIN + "    Config = dict", "Acme.Config is not a subclass of gateway.PluginConfig"),
        (PLUGIN + "    def startup(self): pass", "Acme.startup must be an async def"),
        (PLUGIN + "    def shutdown(self): pass", "Acme.shutdown must be an async def"),
        ("", "AttributeError: module 'gateway_acme_sample' has no attribute 'Acme'"),
    ],
)
def test_what_is_no_plugin_for_this_gateway_is_refused(install: Install, source: str, message: str) -> None:
    install(source)
    assert problem_of_acme().endswith(message)


def test_a_name_that_two_distributions_claim_is_refused(install: Install) -> None:
    install(PLUGIN)
    install(PLUGIN, distribution="gateway-rival", module="gateway_rival_sample")
    assert problem_of_acme().endswith(
        "installed more than once: gateway-acme 1.2, gateway-rival 1.2; uninstall all but one"
    )


def test_a_validator_that_breaks_is_the_fault_of_its_plugin(install: Install) -> None:
    source = """
    from pydantic import field_validator
    from gateway import Plugin, PluginConfig
    class Acme(Plugin):
        id = "service.acme"
        class Config(PluginConfig):
            size: int = 3
            @field_validator("size")
            @classmethod
            def double(cls, size):
                raise OSError("disk gone {0}")
    """
    install(source)
    (problem,) = loaded(service={"acme": {"size": 4}}).problems
    assert problem.text == (
        "[service.acme]: validate failed (plugin service.acme from gateway-acme 1.2): OSError: disk gone {0}"
    )


def test_a_provider_that_only_waits_for_its_secrets_is_skipped(install: Install) -> None:
    source = """
    from gateway import Plugin, PluginConfig, Secret
    class Acme(Plugin):
        id = "provider.acme"
        class Config(PluginConfig):
            keys: list[Secret] = []
            headers: dict[str, str | Secret] = {}
    """
    install(source, name="provider.acme")
    keys = [{"env": "UNSET_SAMPLE_B"}, "literal", {"env": "UNSET_SAMPLE_A"}]
    loading = loaded(provider={"acme": {"keys": keys, "headers": {"X": {"env": "UNSET_SAMPLE_A"}}}})
    assert (loading.plugins, loading.problems) == ([], [])
    (skipped,) = loading.skipped
    assert skipped.table.instance == "provider.acme"
    assert skipped.reason == "environment variables UNSET_SAMPLE_A, UNSET_SAMPLE_B are not set"
