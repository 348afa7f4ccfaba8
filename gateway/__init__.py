"""The AI gateway: one ASGI application in front of many AI providers, built from plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gateway.version import __version__

if TYPE_CHECKING:
    from gateway.app import Gateway
    from gateway.plugin import Plugin, PluginConfig, hookimpl
    from gateway.secrets import Secret

__all__ = ["Gateway", "Plugin", "PluginConfig", "Secret", "__version__", "hookimpl"]

_HOMES = {
    "Gateway": "gateway.app",
    "Plugin": "gateway.plugin",
    "PluginConfig": "gateway.plugin",
    "Secret": "gateway.secrets",
    "hookimpl": "gateway.plugin",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import gateway` stays quick."""
    if name not in _HOMES:
        msg = f"module 'gateway' has no attribute {name!r}"
        raise AttributeError(msg)
    from importlib import import_module  # noqa: PLC0415 - part of being lazy

    return getattr(import_module(_HOMES[name]), name)
