"""The config in force, in short: what tells it from another, without any of its secrets."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from gateway import __version__

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.registry import Registry


def summary(config: Config, registry: Registry) -> dict[str, Any]:
    """The gateway's version, its plugins, and a digest of all settings; those that are secret count by where they are from."""
    settings = {
        "gateway": config.settings.model_dump(mode="json"),
        "models": {name: route.model_dump(mode="json") for name, route in config.models.items()},
        "plugins": [
            (plugin.id, plugin.name, plugin.config.model_dump(mode="json")) for plugin in registry.plugins
        ],
    }
    digest = hashlib.sha256(msgspec.json.encode(settings, order="deterministic", enc_hook=str)).hexdigest()
    names = [f"{plugin.id.partition('.')[0]}.{plugin.name}" for plugin in registry.plugins]
    return {"version": __version__, "plugins": names, "digest": digest}
