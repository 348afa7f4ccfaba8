"""Pages for people: signing in, and their account. The seed of the console: `service.console`."""

from gateway_console.plugin import Console

__all__ = ["Console"]
