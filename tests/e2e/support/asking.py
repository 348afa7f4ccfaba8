"""A config with a provider that a test plays, and the SDK's calls to it."""

from __future__ import annotations

import asyncio
from typing import Any

from openai import AsyncOpenAI

CONFIG = """
[gateway]
keepalive_seconds = 0.3
timeouts = {{ connect = 10, first_byte = 3, idle = 3, total = 20 }}
upstream = {{ max_answer_bytes = 100_000 }}
[provider.up]
use = "openai"
base_url = "{base_url}"
api_key = "sk-upstream-secret-0123456789"
[provider.down]
use = "openai"
base_url = "http://127.0.0.1:{closed}/v1"
[provider.mock]
[models.safe]
targets = ["up:m", "mock:echo"]
[models.dead-first]
targets = ["down:m", "mock:echo"]
[models.all-dead]
targets = ["down:m", "down:n"]
"""


async def ask(sdk: AsyncOpenAI, *, model: str = "up/m", text: str = "hi", **more: Any) -> Any:
    """Ask for an answer, or with `stream=True` for a stream."""
    create: Any = sdk.chat.completions.create
    return await create(model=model, messages=[{"role": "user", "content": text}], **more)


async def stream(
    sdk: AsyncOpenAI,
    texts: list[str],
    *,
    model: str = "up/m",
    seen: asyncio.Event | None = None,
    **more: Any,
) -> None:
    """Ask for a stream, and collect its texts; what the SDK raises is raised. `seen` is set at the first of them."""
    async for chunk in await ask(sdk, model=model, stream=True, **more):
        if seen is not None:
            seen.set()
        texts += [choice.delta.content or "" for choice in chunk.choices]
