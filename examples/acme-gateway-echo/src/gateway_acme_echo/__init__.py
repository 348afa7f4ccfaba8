"""A provider that says back what it was told."""

from gateway_acme_echo.plugin import AcmeEcho

__all__ = ["AcmeEcho"]
