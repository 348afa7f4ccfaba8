"""API keys of the gateway's own: `auth.apikey`."""

from gateway_apikey.plugin import ApiKey

__all__ = ["ApiKey"]
