"""The gateway within other applications, called by the official SDK."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from gateway import Gateway
from gateway.testing.pytest_plugin import GatewayFactory

EMBEDDED = Path(__file__).parents[2] / "examples" / "embedded"


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import an example afresh, with a database in `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, EMBEDDED / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@asynccontextmanager
async def sdk(app: ASGIApp, path: str = "/ai/v1") -> AsyncGenerator[AsyncOpenAI]:
    http = AsyncClient(transport=ASGITransport(app=app))
    async with AsyncOpenAI(
        base_url=f"http://app{path}", api_key="not-a-real-key", http_client=http, max_retries=0
    ) as client:
        yield client


async def say(client: AsyncOpenAI, text: str, model: str = "mock/echo") -> str | None:
    answer = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content


async def streamed(client: AsyncOpenAI, text: str) -> str:
    stream = await client.chat.completions.create(
        model="mock/echo", messages=[{"role": "user", "content": text}], stream=True
    )
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


@pytest.mark.parametrize("name", ["starlette_app", "fastapi_app"])
async def test_starts_and_stops_with_the_application(name: str, load: Callable[[str], ModuleType]) -> None:
    module = load(name)
    app: Any = module.app
    async with app.router.lifespan_context(app):
        async with AsyncClient(transport=ASGITransport(app=app), base_url="http://app") as http:
            assert (await http.get("/")).status_code == 200
            assert (await http.get("/ai/readyz")).json() == {"status": "ok"}
        async with sdk(app) as client:
            assert await say(client, "Hello") == "Hello"
            assert await streamed(client, "Hello, word by word") == "Hello, word by word"
            models = [model.id async for model in client.models.list()]
            assert "mock/echo" in models
            assert (await client.models.retrieve("mock/echo")).id == "mock/echo"


async def test_without_lifespan_the_first_request_starts_it(tmp_path: Path) -> None:
    gateway = Gateway.from_dict(
        {"gateway": {"database": f"sqlite:///{tmp_path / 'gateway.db'}"}, "provider": {"mock": {}}}
    )
    app = Starlette(routes=[Mount("/ai", gateway)])
    assert not (tmp_path / "gateway.db").exists()
    async with sdk(app) as client:
        assert await say(client, "Hello") == "Hello"
    assert (tmp_path / "gateway.db").exists()
    await gateway.shutdown()


async def test_two_gateways_in_one_process(tmp_path: Path, gateway_factory: GatewayFactory) -> None:
    def config(name: str, text: str) -> dict[str, Any]:
        return {
            "gateway": {"database": f"sqlite:///{tmp_path / name}.db"},
            "provider": {name: {"use": "mock", "rules": [{"text": text}]}},
        }

    async with (
        gateway_factory(config("one", "I am one")) as one,
        gateway_factory(config("two", "I am two")) as two,
    ):
        app = Starlette(routes=[Mount("/one", one), Mount("/two", two)])
        async with sdk(app, "/one/v1") as first, sdk(app, "/two/v1") as second:
            assert await say(first, "Hello", "one/echo") == "I am one"
            assert await say(second, "Hello", "two/echo") == "I am two"
            assert "two/echo" not in [model.id async for model in first.models.list()]
    assert (tmp_path / "one.db").exists()
    assert (tmp_path / "two.db").exists()
