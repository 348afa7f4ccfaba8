"""The interfaces of AIGNE Hub, for its clients: `service.aigne`."""

from gateway_aigne.plugin import Aigne

__all__ = ["Aigne"]
