"""The routes of all sessions over WebSockets."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Route, WebSocketRoute

from gateway.api import live, realtime
from gateway.api.access import Access
from gateway.api.lifecycle import Lifecycle
from gateway.api.sessions import Sessions, socket_routes
from gateway.pipeline import Pipeline


def session_routes(
    *, access: Access, pipeline: Pipeline, lifecycle: Lifecycle, max_body: int
) -> Sequence[Route | WebSocketRoute]:
    """List the routes of OpenAI's sessions and of Google's."""
    sessions = Sessions(access=access, pipeline=pipeline, lifecycle=lifecycle)
    return [
        *socket_routes(realtime.PATHS, realtime.RealtimeEndpoint(sessions)),
        *socket_routes(tuple(live.PATHS), live.LiveEndpoint(sessions, max_body=max_body)),
    ]
