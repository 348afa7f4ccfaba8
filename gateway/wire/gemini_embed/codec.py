"""Embeddings of Gemini's to and from the canonical form. https://ai.google.dev/api/embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.errors import InvalidRequest
from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE, read_request
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest, EmbeddingTask
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.embedding_estimate import estimate
from gateway.wire.gemini_count_tokens import resource
from gateway.wire.gemini_embed.shapes import (
    DIALECT,
    TASKS,
    Answer,
    One,
    UsageMetadata,
    Vector,
    decode_answer,
    decode_ones,
)

_MEANT: Final[Mapping[str, EmbeddingTask]] = {name: task for task, name in TASKS.items()}


class GeminiEmbedCodec:
    """embedContent and batchEmbedContents."""

    dialect: Dialect = DIALECT
    names: Mapping[str, str] = {
        "inputs": "content",
        "dimensions": "outputDimensionality",
        "task": "taskType",
    }
    content_type = "application/json"

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> EmbeddingRequest:  # noqa: ARG002 - never streamed
        """Read one text or many. All of a batch must ask for the same, for others take one setting for all."""
        ones, settings, several = read_request(decode_ones, body)
        if not ones or any(other != settings[0] for other in settings):
            raise InvalidRequest(
                "'requests' must hold at least one request, and all of them the same settings.",
                param="requests",
            )
        first, extra = settings[0]
        if first.title is not None:
            extra["title"] = first.title
        task = _MEANT.get(first.task_type or "")
        if task is None and first.task_type not in {None, "TASK_TYPE_UNSPECIFIED"}:
            raise InvalidRequest(
                f"Invalid 'taskType': '{first.task_type}' is none of {', '.join(_MEANT)}.", param="taskType"
            )
        return EmbeddingRequest(
            dialect=DIALECT,
            model=model,
            inputs=tuple(map(_text, ones)),
            several=several,
            dimensions=first.output_dimensionality,
            task=task,
            extra=extra,
        )

    def encode_request(self, request: EmbeddingRequest, model: str, losses: Losses) -> bytes:
        """Write one request, or a batch."""
        settings: dict[str, Any] = {}
        if request.task is not None:
            settings["taskType"] = TASKS[request.task]
        if request.dimensions is not None:
            settings["outputDimensionality"] = request.dimensions
        settings |= own_settings(request, losses)
        ones = [
            {"model": resource(model), "content": {"parts": [{"text": text}]}, **settings}
            for text in texts(request, losses)
        ]
        return msgspec.json.encode({"requests": ones} if request.several or len(ones) != 1 else ones[0])

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        """Read one vector or many."""
        try:
            answer = decode_answer(body)
        except UNREADABLE as error:
            raise WireError(f"the answer holds no embeddings: {error}") from None
        vectors = answer.embeddings
        if vectors is None:
            if answer.embedding is None:
                raise WireError("the answer holds no embeddings")
            vectors = [answer.embedding]
        told = answer.usage_metadata
        count = (told.prompt_token_count or told.total_token_count) if told else None
        return EmbeddingAnswer(
            model="",
            vectors=tuple(vector.values for vector in vectors),
            usage=None if count is None else Usage(prompt_tokens=count),
        )

    def encode_answer(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> bytes:
        """Write one vector or many, as the client asked."""
        tokens = self.usage(answer, request).prompt_tokens
        vectors = [Vector(values) for values in answer.vectors]
        usage = UsageMetadata(tokens, tokens)
        if request.several:
            return msgspec.json.encode(Answer(embeddings=vectors, usage_metadata=usage))
        return msgspec.json.encode(Answer(embedding=vectors[0], usage_metadata=usage))

    def usage(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> Usage:
        """Tell what the provider says, or estimate from the inputs."""
        return answer.usage or estimate(request)


def texts(request: EmbeddingRequest, losses: Losses) -> list[str]:
    """Return the inputs that are words; there is no way to send token ids."""
    words = [text for text in request.inputs if isinstance(text, str)]
    if len(words) != len(request.inputs):
        losses.cannot("inputs.tokens")
    return words


def own_settings(request: EmbeddingRequest, losses: Losses) -> Mapping[str, Any]:
    """Return what only Google's dialects can say, when the client speaks one; tell `losses` of the rest."""
    if request.user is not None:
        losses.cannot("user")
    if request.dialect == DIALECT:
        return request.extra
    for name in request.extra:
        losses.cannot(name)
    return {}


def _text(one: One) -> str:
    text = one.text()
    if text is None:
        raise InvalidRequest(
            "Only text can be embedded by this model: 'content' must hold parts with 'text' alone.",
            param="content",
        )
    return text
