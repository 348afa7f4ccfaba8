from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.testing.contracts import ProviderContract
from gateway.testing.contracts.provider import Situation
from gateway.testing.upstream import FakeUpstream
from gateway_mock import Mock

DIRECTIVES: Mapping[Situation, str] = {
    "answer": "Hello there",
    "stream": "Hello there",
    "refusal": "@status=429 @retry-after=2",
    "cut": "one two three @cut=2",
    "hang": "@hang",
}


class TestMock(ProviderContract):
    plugin = Mock

    def arrange(self, situation: Situation, upstream: FakeUpstream) -> Mapping[str, Any]:
        del upstream
        stream = situation in {"stream", "cut"}
        return self.request(DIRECTIVES[situation], model="echo", stream=stream)
