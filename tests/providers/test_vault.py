"""Every provider with API keys takes them from the vault, too."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ProviderError
from gateway.loader import Catalogue
from gateway.provider import Service
from gateway.testing import replies
from gateway.testing.fakes import plugin_context
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import HeldCredential

SECRET = "fake-0123456789-in-the-vault"
JSON = {"content-type": "application/json"}
HELD = HeldCredential(
    tenant="acme", id="crd_1", kind="api_key", fields={"api_key": SECRET}, weight=1, enabled=True
)
PLUGINS: Mapping[str, Mapping[str, str]] = {
    "anthropic": {},
    "azure": {},
    "bedrock": {"region": "us-east-1"},
    "cohere": {},
    "gemini": {},
    "ollama": {},
    "openai": {},
}


@asynccontextmanager
async def running(name: str, folder: Path, url: str) -> AsyncGenerator[Service]:
    plugin: Any = Catalogue().load(f"provider.{name}")
    context = plugin_context(folder)
    config = plugin.Config.model_validate({**PLUGINS[name], "base_url": url, "vault": True})
    try:
        (provider,) = plugin(name, config, context).register_providers()
        yield provider
    finally:
        await context.client.close()
        await context.database.close()


@pytest.mark.parametrize("name", PLUGINS)
async def test_it_tries_and_uses_them(name: str, tmp_path: Path):
    async with FakeUpstream() as upstream, running(name, tmp_path, upstream.url) as provider:
        assert provider.takes_vault
        assert not provider.has_credentials
        with pytest.raises(ProviderError, match="no credential"):
            await provider.fetch(lambda one: (provider.client.prepare("GET", upstream.url, []), []))
        said = replies.refusal(f"Not {SECRET}.", code="no")
        upstream.reply(Reply(status=401, headers=JSON, parts=[said]))
        with pytest.raises(ProviderError, match=r"Not \[redacted\]") as refused:
            await provider.try_credential("api_key", {"api_key": SECRET})
        assert refused.value.status == 401
        assert SECRET in str(upstream.requests[-1].headers)

        reported: list[str | None] = []
        provider.use_credentials([HELD], lambda _held, error: reported.append(error))
        assert not provider.has_credentials, "it is the tenant's alone"
        own = provider.credentials.of("acme").first()
        assert SECRET in str(provider.account_headers(own))
        own.refused(403, "No.", None)
        assert reported == ["403: No."]


@pytest.mark.parametrize("name", PLUGINS)
async def test_without_the_setting_it_takes_none(name: str, tmp_path: Path):
    plugin: Any = Catalogue().load(f"provider.{name}")
    config = plugin.Config.model_validate(
        {**PLUGINS[name], "base_url": "http://127.0.0.1:9", "api_key": "fake-key"}
    )
    context = plugin_context(tmp_path)
    (provider,) = plugin(name, config, context).register_providers()
    assert not provider.takes_vault
    assert provider.has_credentials
