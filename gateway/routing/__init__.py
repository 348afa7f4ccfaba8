"""From the model name that a client sends to the targets that are tried for it."""

from gateway.routing.live import LiveRoutes
from gateway.routing.table import RoutingTable

__all__ = ["LiveRoutes", "RoutingTable"]
