"""Sends calls to Cohere. https://docs.cohere.com/v2/reference/about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.provider import Credential, Service
from gateway.types import Attempt, Capability, Dialect, RawHeaders
from gateway.upstream import Prepared
from gateway.wire import PLAIN, Given

PATHS: Final[Mapping[str, str]] = {
    "cohere.chat": "/v2/chat",
    "cohere.embed": "/v2/embed",
    "cohere.embed_v1": "/v1/embed",
    "cohere.rerank": "/v2/rerank",
    "rerank/v1": "/v1/rerank",
}
"""Where each dialect's requests go, below the base URL."""


_BY_PATH: Final[Mapping[str, Dialect]] = {
    "/v2/chat": "cohere.chat",
    "/v1/embed": "cohere.embed_v1",
    "/v2/embed": "cohere.embed",
    "/v1/rerank": "cohere.rerank",
    "/v2/rerank": "cohere.rerank",
}


class _OnlyV1(Struct):
    """What a request for rerank may hold that API v2 has done away with."""

    documents: list[Any]
    return_documents: bool | None = None
    rank_fields: list[str] | None = None
    max_chunks_per_doc: int | None = None


_decode = msgspec.json.Decoder(_OnlyV1).decode


class CohereProvider(Service):
    """One account, under the name of its table in plugins.toml."""

    dialects: Mapping[Capability, Dialect] = {
        "chat": "cohere.chat",
        "embedding": "cohere.embed",
        "rerank": "cohere.rerank",
    }

    def speaks(self, dialect: Dialect, model: str) -> bool:
        """It also takes embeddings as clients of API v1 ask for them."""
        del model
        return dialect == "cohere.embed_v1"

    def request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, bytes, RawHeaders]:
        """Choose the head by the dialect, and for rerank by the version of the API that the request is for."""
        head: str = attempt.target.dialect
        if head == "cohere.rerank" and _is_v1(attempt.body):
            head = "rerank/v1"
        return credential.prepared[head], attempt.body, []

    async def list_models(self) -> Sequence[str]:
        """Return the names of the models that the service tells of."""
        return await self.listed(self.credentials.any().prepared["list"])

    def dialect_of(self, method: str, path: str) -> tuple[Dialect, Given] | None:
        """Chat, and embeddings and rerank in both versions of the API."""
        dialect = _BY_PATH.get(path.rstrip("/")) if method == "POST" else None
        return (dialect, PLAIN) if dialect else None

    async def check_credential(self, credential: Credential) -> bool:
        """Ask for the list of models."""
        await self.probe(credential.prepared["models"])
        return True


def _is_v1(body: bytes) -> bool:
    try:
        found = _decode(body)
    except msgspec.ValidationError:
        return False  # Cohere words what is wrong with it
    only = (found.return_documents, found.rank_fields, found.max_chunks_per_doc)
    return any(only) or any(isinstance(document, dict) for document in found.documents)
