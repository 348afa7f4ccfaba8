from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.testing.contracts import ProviderContract
from gateway.testing.contracts.provider import Situation
from gateway.testing.upstream import FakeUpstream, Reply
from gateway_azure import Azure

TOKEN = b'{"token_type": "Bearer", "expires_in": 3599, "access_token": "not-a-real-token"}'


class TestAzure(ProviderContract):
    plugin = Azure

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}", "api_key": "not-a-real-key-but-long-enough"}


class TestAzureByDeployment(ProviderContract):
    plugin = Azure

    def config(self) -> dict[str, object]:
        return {
            "base_url": "{upstream}",
            "api_keys": ["not-a-real-key-one", "not-a-real-key-two"],
            "api_version": "2024-10-21",
            "deployments": {"contract-model": "a-deployment"},
        }


class TestAzureByEntra(ProviderContract):
    plugin = Azure

    def config(self) -> dict[str, object]:
        return {
            "base_url": "{upstream}",
            "authority": "{upstream}",
            "tenant_id": "a-tenant",
            "client_id": "a-client",
            "client_secret": "not-a-real-secret",
        }

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any] | None:
        upstream.reply(Reply(headers={"content-type": "application/json"}, parts=[TOKEN]))
        return super().arrange(situation, upstream)
