"""Signed calls of services: `auth.component`."""

from gateway_component.plugin import Component

__all__ = ["Component"]
