"""The gateway inside a FastAPI application: `uvicorn fastapi_app:app`, then use http://127.0.0.1:8000/ai/v1.

A mounted application gets no lifespan events. `lifespan=gateway.lifespan` makes the gateway start and stop with the
application around it; without that line it starts with its first request.
"""

from __future__ import annotations

from fastapi import FastAPI

from gateway import Gateway

gateway = Gateway.from_dict({"provider": {"mock": {}}})
app = FastAPI(lifespan=gateway.lifespan)
app.mount("/ai", gateway)


@app.get("/")
async def home() -> dict[str, str]:
    """Answer a route of the application's own."""
    return {"message": "The gateway is at /ai."}
