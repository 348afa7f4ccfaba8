from __future__ import annotations

from gateway.testing.contracts import ProviderContract
from gateway_openai import OpenAI


class TestOpenAI(ProviderContract):
    plugin = OpenAI

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}/v1", "api_key": "not-a-real-key-but-long-enough"}


class TestOpenAIWithSeveralKeys(ProviderContract):
    plugin = OpenAI

    def config(self) -> dict[str, object]:
        return {"base_url": "{upstream}/v1", "api_keys": ["not-a-real-key-one", "not-a-real-key-two"]}
