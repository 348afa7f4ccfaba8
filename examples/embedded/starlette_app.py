"""The gateway inside a Starlette application: `uvicorn starlette_app:app`, then use http://127.0.0.1:8000/ai/v1.

A mounted application gets no lifespan events. `lifespan=gateway.lifespan` makes the gateway start and stop with the
application around it; without that line it starts with its first request.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from gateway import Gateway

gateway = Gateway.from_dict({"provider": {"mock": {}}})


async def home(_request: Request) -> PlainTextResponse:
    """Answer a route of the application's own."""
    return PlainTextResponse("The gateway is at /ai.")


app = Starlette(routes=[Route("/", home), Mount("/ai", gateway)], lifespan=gateway.lifespan)
