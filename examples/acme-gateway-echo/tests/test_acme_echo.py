"""The contract suite, and what is special about a parrot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.testing.contracts import ProviderContract
from gateway.testing.contracts.provider import Situation
from gateway.testing.pytest_plugin import ClientFactory
from gateway.testing.upstream import FakeUpstream
from gateway_acme_echo import AcmeEcho


class TestAcmeEcho(ProviderContract):
    plugin = AcmeEcho

    def config(self) -> Mapping[str, Any]:
        return {"refuse": "rude word"}

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any] | None:
        """It calls nobody, so nothing can hang or break off."""
        del upstream
        if situation in {"cut", "hang"}:
            return None
        text = "A rude word" if situation == "refusal" else "Hello there"
        return self.request(text, model="parrot", stream=situation == "stream")


def test_shouts(gateway_client: ClientFactory) -> None:
    client = gateway_client({"provider": {"acme-echo": {"shout": True}}}, plugins=[AcmeEcho])
    chat = {"model": "acme-echo/parrot", "messages": [{"role": "user", "content": "Hello"}]}
    answer = client.post("/v1/chat/completions", json=chat).json()
    assert answer["choices"][0]["message"]["content"] == "HELLO"
