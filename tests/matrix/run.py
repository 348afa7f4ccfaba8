"""Runs one client of the matrix against every provider, and tells how each cell went."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..e2e.support.process import deployment, environment
from ..e2e.support.upstream import Upstream, listen
from .upstreams.server import serve

CLIENTS = Path(__file__).parent / "clients"
FEATURES = (
    "plain",
    "stream",
    "tools",
    "parallel tools",
    "image",
    "structured output",
    "thinking",
    "error",
    "cut stream",
)
KEY = "not-a-real-key-but-long-enough"
MODELS: Mapping[str, str] = {
    "openai": "openai/gpt-5-mini",
    "anthropic": "anthropic/claude-sonnet-4-5",
    "gemini": "gemini/gemini-3.5-flash",
    "azure": "azure/gpt-5-mini",
    "bedrock": "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "cohere": "cohere/command-a-03-2025",
    "ollama": "ollama/qwen3",
    "mock": "mock/reasoner",
}
"""A model of each provider."""
SECONDS = 240.0
"""For all cells of one client."""

CONFIG = """
[gateway]
keepalive_seconds = 1
[auth.apikey]
[provider.openai]
base_url = "{url}/openai/v1"
api_key = "{key}"
[provider.anthropic]
base_url = "{url}/anthropic"
api_key = "{key}"
[provider.gemini]
base_url = "{url}/gemini/v1beta"
api_key = "{key}"
[provider.azure]
base_url = "{url}/azure"
api_key = "{key}"
[provider.bedrock]
base_url = "{url}/bedrock"
region = "eu-central-1"
access_key_id = "not-a-real-id"
secret_access_key = "{key}"
[provider.cohere]
base_url = "{url}/cohere"
api_key = "{key}"
[provider.ollama]
base_url = "{url}/ollama"
[provider.mock]
rules = [
  {{ match = "fail now", status = 429, message = "The fake service is busy.", retry_after = 7 }},
  {{ match = "break off", cut_after = 3 }},
  {{ match = "in Rome and in Oslo", tools = ["weather", "weather"] }},
  {{ match = "Say something", text = "Grüße ✓ One two three." }},
]
"""


class Cell(Struct):
    """How one feature of one client went with one provider."""

    provider: str
    feature: str
    outcome: str
    """`pass`, `absent` or `error`."""
    detail: str = ""
    trace: str = ""


class Serving(Struct):
    """A gateway in front of all fake providers."""

    url: str
    key: str


@asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[Serving]:
    """Start the fakes, and the gateway in front of them."""
    with listen() as listener:
        config = CONFIG.format(url=f"http://127.0.0.1:{listener.getsockname()[1]}", key=KEY)
        async with Upstream(serve, listener):
            context = deployment(folder, config)
            served = await asyncio.to_thread(context.__enter__)
            try:
                key = (await asyncio.to_thread(served.key))["key"]
                yield Serving(served.url, key)
            finally:
                await asyncio.to_thread(context.__exit__, None, None, None)


async def run(client: str, command: Sequence[str], served: Serving) -> list[Cell]:
    """Run a client, and read what it prints. Fails the test when it cannot be run."""
    process = await asyncio.create_subprocess_exec(
        *command,
        served.url,
        served.key,
        *MODELS.values(),
        cwd=CLIENTS / client,
        env=environment(PYTHONPATH=str(CLIENTS), PYTHONDONTWRITEBYTECODE="1"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == 0, f"{client} ended with {process.returncode}:\n{errors.decode()[-3000:]}"
    providers = {model: provider for provider, model in MODELS.items()}
    lines = [json.loads(line) for line in out.decode().splitlines() if line.startswith("{")]
    return [_cell(line, providers) for line in lines]


def _cell(line: Mapping[str, Any], providers: Mapping[str, str]) -> Cell:
    detail = re.sub(r"\s+", " ", line["detail"])
    return Cell(providers[line["model"]], line["feature"], line["outcome"], detail, line.get("trace", ""))
