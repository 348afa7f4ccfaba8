"""`/gateway/plugins` and `/gateway/config`: what runs, and with which settings; secrets are masked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, cast

from pydantic import Field

from gateway.admin.endpoint import Endpoint
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Query, Shown
from gateway.routing.live import Entry
from gateway.secrets import REDACTED

_SECRET_NAME: Final = re.compile(
    r"secret|password|passwd|token|credential|authorization|private|api[-_]?key", re.IGNORECASE
)
"""Names under which a plugin may hold a secret that it forgot to declare as one."""
_IN_URL: Final = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_ORIGINS: Final = ({"env"}, {"file"})
"""How a declared secret shows where it comes from."""


class PluginShown(Shown):
    """A plugin of the config, in the order in which they run."""

    instance: str = Field(description="Its table in the config.")
    plugin: str
    kind: str
    distribution: str = Field(description="Name and version of the package that it is from.")
    state: Literal["enabled", "skipped"]
    reason: str = Field(description="Why it is skipped; else empty.")
    hooks: list[str] = Field(description="What it takes part in.")
    settings: dict[str, Any] | None = Field(
        description="All of them, secrets masked; null when it is skipped."
    )


class Plugins(Shown):
    """All of them."""

    data: list[PluginShown]


class EffectiveConfig(Shown):
    """The settings in force, those that the config leaves out included; secrets are masked."""

    gateway: dict[str, Any]
    models: dict[str, Any] = Field(
        description="By name, with the `source`: `api` where the admin API has made or replaced it."
    )
    plugins: dict[str, Any] = Field(description="By table.")
    workers: int


async def list_plugins(request: AdminRequest[Query, None]) -> Plugins:
    """List the plugins."""
    settings = _settings(request)
    shown = [
        PluginShown(
            instance=one.instance,
            plugin=one.id,
            kind=one.kind,
            distribution=one.distribution,
            state="enabled" if one.state == "enabled" else "skipped",
            reason=one.reason,
            hooks=[hook.removeprefix("register_") for hook in one.hooks],
            settings=settings.get(one.instance),
        )
        for one in request.services.registry.describe()
    ]
    return Plugins(data=shown)


async def show(request: AdminRequest[Query, None]) -> EffectiveConfig:
    """Show the settings in force."""
    config = request.services.config
    return EffectiveConfig(
        gateway=masked(config.settings.model_dump(mode="json")),
        models={name: _model(entry) for name, entry in request.services.routes.entries.items()},
        plugins=_settings(request),
        workers=request.context.workers,
    )


def _model(entry: Entry) -> dict[str, Any]:
    route: dict[str, Any] = {} if entry.route is None else masked(entry.route.model_dump(mode="json"))
    return {**route, "enabled": entry.enabled, "source": entry.source}


def masked(value: Any, name: str = "") -> Any:
    """JSON without secrets: those declared are masked already, others are found by their name, or in a URL."""
    if isinstance(value, dict):
        fields = cast("Mapping[str, Any]", value)
        if set(fields) in _ORIGINS:
            return fields
        return {key: masked(inner, key) for key, inner in fields.items()}
    if isinstance(value, list):
        return [masked(inner, name) for inner in cast("Sequence[Any]", value)]
    if isinstance(value, str):
        return REDACTED if value and _SECRET_NAME.search(name) else _IN_URL.sub(REDACTED, value)
    return value


def _settings(request: AdminRequest[Any, Any]) -> dict[str, Any]:
    """The settings of every enabled plugin by its table."""
    registry = request.services.registry
    enabled = [one.instance for one in registry.describe() if one.state == "enabled"]
    return {
        instance: masked(plugin.config.model_dump(mode="json"))
        for instance, plugin in zip(enabled, registry.plugins, strict=True)
    }


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/gateway/plugins",
        permission="gateway.config",
        handler=list_plugins,
        summary="List the plugins in the order in which they run",
        answer=Plugins,
    ),
    Endpoint(
        method="GET",
        path="/gateway/config",
        permission="gateway.config",
        handler=show,
        summary="Show the settings in force, secrets masked",
        answer=EffectiveConfig,
    ),
)
