"""Embeddings as Vertex AI serves them, by its general method for predictions.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.embedding_estimate import estimate
from gateway.wire.gemini_embed.codec import own_settings, texts
from gateway.wire.gemini_embed.shapes import TASKS
from gateway.wire.provider_only import ProviderOnly


class _Statistics(Struct):
    token_count: float | None = None


class _Embeddings(Struct):
    values: list[float]
    statistics: _Statistics | None = None


class _Prediction(Struct):
    embeddings: _Embeddings


class _Answer(Struct):
    predictions: list[_Prediction]


_decode = msgspec.json.Decoder(_Answer).decode


class VertexEmbedCodec(ProviderOnly[EmbeddingRequest, EmbeddingAnswer]):
    """`:predict` of the models for embeddings."""

    dialect: Dialect = "vertex.embed"
    content_type = "application/json"

    def encode_request(self, request: EmbeddingRequest, model: str, losses: Losses) -> bytes:  # noqa: ARG002 - the path names it
        """Write an instance for each text."""
        own = dict(own_settings(request, losses))
        about: dict[str, Any] = {}
        if request.task is not None:
            about["task_type"] = TASKS[request.task]
        if "title" in own:
            about["title"] = own.pop("title")
        if request.dimensions is not None:
            own["outputDimensionality"] = request.dimensions
        fields: dict[str, Any] = {
            "instances": [{"content": text, **about} for text in texts(request, losses)]
        }
        if own:
            fields["parameters"] = own
        return msgspec.json.encode(fields)

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        """Read the predictions."""
        try:
            found = [prediction.embeddings for prediction in _decode(body).predictions]
        except UNREADABLE as error:
            raise WireError(f"the answer holds no embeddings: {error}") from None
        counts = [one.statistics.token_count for one in found if one.statistics]
        told = [int(count) for count in counts if count is not None]
        return EmbeddingAnswer(
            model="",
            vectors=tuple(one.values for one in found),
            usage=Usage(prompt_tokens=sum(told)) if len(told) == len(found) else None,
        )

    def usage(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> Usage:
        """Tell what the provider says, or estimate from the inputs."""
        return answer.usage or estimate(request)
