"""Sends calls to Anthropic. https://platform.claude.com/docs/en/api/overview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from gateway.provider import Credential, Service
from gateway.types import Attempt, Capability, Dialect, RawHeaders
from gateway.upstream import Prepared
from gateway.wire import PLAIN, Given

PATHS: Final[Mapping[Dialect, str]] = {
    "anthropic.messages": "/v1/messages",
    "anthropic.count_tokens": "/v1/messages/count_tokens",
}
"""Where each dialect's requests go, below the base URL."""

_BY_PATH: Final = {path: dialect for dialect, path in PATHS.items()}
_BETA: Final = b"anthropic-beta"
_CODE: Final = b'"type":"code_execution_20250825"'
_CODE_BETA: Final = b"code-execution-2025-08-25"
"""Anthropic's own clients say so themselves. https://platform.claude.com/docs/en/agents-and-tools/tool-use/code-execution-tool"""


class AnthropicProvider(Service):
    """One service, under the name of its table in plugins.toml."""

    dialects: Mapping[Capability, Dialect] = {
        "chat": "anthropic.messages",
        "tokens": "anthropic.count_tokens",
    }
    version: bytes
    """For clients who do not say."""
    betas: tuple[bytes, ...]

    def request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, bytes, RawHeaders]:
        """Choose the head by the dialect; version and betas may be the client's."""
        headers = self._asked(attempt.call.forwarded)
        if attempt.call.dialect != attempt.target.dialect and _CODE in attempt.body:
            headers.append((_BETA, _CODE_BETA))
        return credential.prepared[attempt.target.dialect], attempt.body, headers

    async def list_models(self) -> Sequence[str]:
        """Return the names of the models that the service tells of."""
        return await self.listed(self.credentials.any().prepared["list"])

    def dialect_of(self, method: str, path: str) -> tuple[Dialect, Given] | None:
        """Messages, and their tokens counted."""
        dialect = _BY_PATH.get(path.rstrip("/")) if method == "POST" else None
        return (dialect, PLAIN) if dialect else None

    def own_request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, RawHeaders]:
        """Say version and betas, as with every request."""
        own = attempt.call.own
        assert own is not None
        asked = self._asked(own.headers)
        rest = [header for header in own.headers if header[0] not in dict(asked)]
        call = replace(attempt.call, own=replace(own, headers=rest))
        prepared, headers = super().own_request(replace(attempt, call=call), credential)
        return prepared, [*headers, *asked]

    async def check_credential(self, credential: Credential) -> bool:
        """Ask for the list of models."""
        await self.probe(credential.prepared["models"])
        return True

    def _asked(self, said: Sequence[tuple[bytes, bytes]]) -> RawHeaders:
        version, betas = self.version, list(self.betas)
        for name, value in said:
            if name == _BETA:
                betas += [beta for word in value.split(b",") if (beta := word.strip()) not in betas and beta]
            elif name == b"anthropic-version":
                version = value
        headers: RawHeaders = [(b"anthropic-version", version)]
        if betas:
            headers.append((_BETA, b",".join(betas)))
        return headers
