"""Every hook, fired through the facade: order, types, duplicates, and who is to blame."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from limits.aio.storage import MemoryStorage
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from gateway import Plugin, hookimpl
from gateway.config import Config
from gateway.doors import Finding
from gateway.errors import PluginError
from gateway.facade import HOOKS
from gateway.plugin import Context
from gateway.registry import Registry

NOTHING: Any = None
"""For what a context lends and nobody here uses."""


class SampleProvider:
    def __init__(self, name: str) -> None:
        self.name = name
        self.dialects: dict[str, str] = {}
        self.catalogue = "sample"
        self.models = ()

    async def send(self, attempt: Any) -> Any:
        raise NotImplementedError


class SampleAuthenticator:
    async def authenticate(self, incoming: Any) -> Any:
        raise NotImplementedError


class SampleAroundCall:
    async def around_call(self, call: Any, proceed: Any) -> Any:
        raise NotImplementedError


class SampleAroundAttempt:
    async def around_attempt(self, attempt: Any, proceed: Any) -> Any:
        raise NotImplementedError


class SampleOnFinished:
    def finished(self, call: Any, outcome: Any) -> None:
        raise NotImplementedError


class SampleComparison:
    async def compare(self, since: float, until: float) -> Sequence[Finding]:
        del since, until
        return ()


class SampleBook:
    async def on_adjust(self, connection: object, adjustments: Sequence[object]) -> None: ...


class SampleBilling:
    def on_open(self, call: Any) -> Sequence[Any]:
        raise NotImplementedError

    def on_settle(self, call: Any, outcome: Any) -> Sequence[Any]:
        raise NotImplementedError


class SampleEndpoint:
    method = "GET"
    path = "/sample"
    permissions = ("billing.read",)


class SampleSignIn:
    title = "Sample"
    start = "/sample"
    script = None

    def __init__(self, name: str) -> None:
        self.name = name


class SampleSink:
    def __init__(self, name: str) -> None:
        self.name = name

    async def deliver(self, records: Any) -> None:
        raise NotImplementedError


class SampleTransport:
    def __init__(self, name: str) -> None:
        self.name = name

    async def serve(self, app: Any) -> None:
        raise NotImplementedError


def build(hook: str, *answers: Any) -> Registry:
    """Enable one plugin for each answer; in the file they are called a, b, c and so on."""
    plugins = [_plugin(f"service.{chr(97 + number)}", hook, answer) for number, answer in enumerate(answers)]
    tables: dict[str, Any] = {plugin.id.partition(".")[2]: {} for plugin in plugins}
    context = Context(client=NOTHING, database=NOTHING)
    return Registry.build(Config.from_dict({"service": tables}, extra=plugins), context, plugins)


def _plugin(plugin: str, hook: str, answer: Any) -> type[Plugin[Any]]:
    def run(_self: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return type("Made", (Plugin,), {"id": plugin, "__module__": "samples", hook: hookimpl(run)})


def fire(hook: str, *answers: Any, **options: Any) -> Any:
    method = getattr(build(hook, *answers).facade, hook.removeprefix("register_"))
    return method(**options)


def problem(hook: str, *answers: Any, **options: Any) -> str:
    with pytest.raises(PluginError) as raised:
        fire(hook, *answers, **options)
    error = raised.value
    assert error.phase == hook
    assert error.message.startswith(
        f"{hook} failed for [{error.instance}] (plugin {error.plugin} from module samples): "
    )
    return f"{error.instance}: {error.message.partition('): ')[2]}"


def handle(request: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_refuses_what_is_not_a_list(hook: str) -> None:
    assert problem(hook, [], None) == "service.b: must return a list or a tuple, not None"


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_refuses_objects_of_another_kind(hook: str) -> None:
    assert problem(hook, (), [3]).startswith("service.b: must return a list of ")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_blames_the_plugin_that_raises(hook: str) -> None:
    assert problem(hook, [], OSError("no luck")) == "service.b: OSError: no luck"


@pytest.mark.parametrize("hook", [name for name in HOOKS if name != "register_counters"])
def test_every_hook_gives_nothing_when_nobody_answers(hook: str) -> None:
    assert fire(hook) == ()


def test_hook_register_providers() -> None:
    one, two, three = (SampleProvider(name) for name in "xyz")
    assert fire("register_providers", [one, two], (three,)) == (one, two, three)
    assert problem("register_providers", [one], [two, SampleProvider("x")]) == (
        "service.b: the provider 'x' is already registered by [service.a]"
    )
    assert problem("register_providers", [SampleSink("x")]) == (
        "service.a: must return a list of Provider, not of "
        f"{__name__}.SampleSink (it lacks catalogue, dialects, models, send)"
    )
    assert problem("register_providers", [SampleProvider]) == (
        "service.a: must return a list of Provider, not of the class SampleProvider itself"
    )


def test_hook_register_authenticators() -> None:
    one, two = SampleAuthenticator(), SampleAuthenticator()
    assert fire("register_authenticators", [one], [two]) == (one, two)


def test_hook_register_interceptors() -> None:
    kinds = (SampleAroundCall(), SampleAroundAttempt(), SampleOnFinished())
    assert fire("register_interceptors", kinds) == kinds
    assert problem("register_interceptors", [object()]) == (
        "service.a: must return a list of AroundCall or AroundAttempt or OnFinished, not of builtins.object"
    )


def test_hook_register_asgi_middleware() -> None:
    one, two = Middleware(lambda app: app), Middleware(lambda app: app)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType, reportArgumentType] - any factory does
    assert fire("register_asgi_middleware", [one], [two]) == (one, two)


def test_hook_register_billing() -> None:
    billing = SampleBilling()
    assert fire("register_billing", [billing]) == (billing,)


def test_hook_register_adjusters() -> None:
    book = SampleBook()
    assert fire("register_adjusters", [book]) == (book,)


def test_hook_register_comparisons() -> None:
    comparison = SampleComparison()
    assert fire("register_comparisons", [comparison]) == (comparison,)
    assert problem("register_comparisons", [object()]).startswith("service.a: must return a list of Compares")


def test_hook_register_sinks() -> None:
    one, two = SampleSink("x"), SampleSink("y")
    assert fire("register_sinks", [one], [two]) == (one, two)
    assert problem("register_sinks", [one, SampleSink("x")]) == (
        "service.a: the sink 'x' is already registered by [service.a]"
    )


def test_hook_register_sign_ins() -> None:
    one, two = SampleSignIn("x"), SampleSignIn("y")
    assert fire("register_sign_ins", [one], [two]) == (one, two)
    assert problem("register_sign_ins", [one, SampleSignIn("x")]) == (
        "service.a: the way to sign in 'x' is already registered by [service.a]"
    )


def test_hook_register_admin_endpoints() -> None:
    one, two = SampleEndpoint(), SampleEndpoint()
    assert fire("register_admin_endpoints", [one], [two]) == (one, two)


def test_hook_register_counters() -> None:
    storage = MemoryStorage()
    assert fire("register_counters", [], [storage]) is storage
    assert fire("register_counters", []) is None
    assert problem("register_counters", [storage], [storage]) == (
        "service.b: shared storage for counting is already registered by [service.a]"
    )


def test_hook_register_routes() -> None:
    paths_are_unique("register_routes")


def test_hook_register_admin_pages() -> None:
    paths_are_unique("register_admin_pages")


def paths_are_unique(hook: str) -> None:
    read, write = Route("/x", handle, methods=["GET"]), Route("/x", handle, methods=["POST"])
    files = Mount("/files", routes=[])
    assert fire(hook, [read, write], [files]) == (read, write, files)
    assert problem(hook, [read], [write]) == "service.b: the path '/x' is already registered by [service.a]"
    assert problem(hook, [files], taken=["/files"]) == (
        "service.a: the path '/files' is already registered by the gateway itself"
    )


def test_hook_register_transports() -> None:
    transport = SampleTransport("x")
    assert fire("register_transports", [transport]) == (transport,)
    assert problem("register_transports", [transport], [SampleTransport("x")]) == (
        "service.b: the transport 'x' is already registered by [service.a]"
    )


def test_hook_register_commands() -> None:
    one, two = click.Command("one"), click.Command("two")
    assert fire("register_commands", [one], [two]) == (one, two)
    assert problem("register_commands", [one], [click.Command("one")]).startswith(
        "service.b: the command 'one'"
    )
    assert problem("register_commands", [click.Command("serve")], taken=["serve"]) == (
        "service.a: the command 'serve' is already registered by the gateway itself"
    )


def test_hook_register_migrations(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert fire("register_migrations", [one], [two], [one]) == (one, two)
    assert (
        problem("register_migrations", [tmp_path / "three"])
        == f"service.a: {tmp_path / 'three'} is not a folder"
    )


class PlainAroundCall:
    def around_call(self, call: Any, proceed: Any) -> Any:
        raise NotImplementedError


class GeneratorAroundAttempt:
    async def around_attempt(self, attempt: Any, proceed: Any) -> Any:
        yield


class OtherArguments:
    async def around_call(self, request: Any, call_next: Any) -> Any:
        raise NotImplementedError


class AwaitedFinished:
    async def finished(self, call: Any, outcome: Any) -> None:
        raise NotImplementedError


class HandsOn:
    def around_call(self, call: Any, proceed: Any) -> Awaitable[Any]:
        return proceed(call)


@pytest.mark.parametrize(
    ("interceptor", "expected"),
    [
        (PlainAroundCall(), "PlainAroundCall.around_call must be an async def"),
        (GeneratorAroundAttempt(), "GeneratorAroundAttempt.around_attempt must be an async def"),
        (OtherArguments(), r"OtherArguments.around_call must take \(call, proceed\), not \(request: "),
        (AwaitedFinished(), "AwaitedFinished.finished must be a plain def"),
    ],
)
def test_an_interceptor_that_cannot_work_is_refused_while_the_gateway_is_built(
    interceptor: object, expected: str
) -> None:
    assert re.search(rf"service\.a: {expected}", problem("register_interceptors", [interceptor]))


def test_an_interceptor_may_return_what_proceed_returned() -> None:
    interceptor = HandsOn()
    assert fire("register_interceptors", [interceptor]) == (interceptor,)
