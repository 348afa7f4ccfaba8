"""GET /healthz: the process is alive. GET /readyz: it wants traffic."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.api.lifecycle import Lifecycle
from gateway.ledger import Ledger


class HealthEndpoint:
    """Answers probes; needs no credential and tells no secret."""

    def __init__(self, *, lifecycle: Lifecycle, ledger: Ledger) -> None:
        self._lifecycle = lifecycle
        self._ledger = ledger

    async def alive(self, _request: Request) -> Response:
        """Answer as long as the event loop turns."""
        return JSONResponse({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        """Answer 200 when calls can be served, 503 while starting, draining, or without a working ledger."""
        if self._lifecycle.draining:
            return JSONResponse({"status": "draining"}, 503)
        if not self._lifecycle.started:
            return JSONResponse({"status": "starting"}, 503)
        if not self._ledger.healthy:
            return JSONResponse({"status": "ledger unavailable"}, 503)
        return JSONResponse({"status": "ok"})
