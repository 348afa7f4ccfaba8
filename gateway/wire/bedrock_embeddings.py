"""Embeddings over Bedrock's InvokeModel, which wants each family of models asked in its own way.

Cohere's models take many texts at once, Amazon's one. Several texts for these are an array of requests, which
the provider sends one by one, and answers with an array.
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html
https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-embed.html
https://docs.aws.amazon.com/nova/latest/userguide/embeddings-schema.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec
from msgspec import Struct, field

from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest, EmbeddingTask
from gateway.wire.codec import Losses
from gateway.wire.cohere_embed import input_type
from gateway.wire.dialect import WireError
from gateway.wire.embedding_estimate import estimate
from gateway.wire.provider_only import ProviderOnly

_NOVA_TASKS: Final[Mapping[EmbeddingTask, str]] = {
    "query": "TEXT_RETRIEVAL",
    "question_answering": "TEXT_RETRIEVAL",
    "fact_verification": "TEXT_RETRIEVAL",
    "code_query": "TEXT_RETRIEVAL",
    "document": "GENERIC_INDEX",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
_TITAN_OWN: Final = frozenset({"normalize"})
_COHERE_OWN: Final = frozenset({"input_type", "max_tokens", "truncate"})


class _ByType(Struct):
    floats: list[list[float]] = field(name="float")


class _Nova(Struct):
    embedding: list[float]


class _Answer(Struct):
    embedding: list[float] | None = None
    embeddings: _ByType | list[_Nova | list[float]] | None = None
    inputTextTokenCount: int | None = None  # noqa: N815 - the wire's own spelling


_decode = cast(
    "Callable[[bytes], _Answer | list[_Answer]]", msgspec.json.Decoder(_Answer | list[_Answer]).decode
)


class BedrockEmbeddings(ProviderOnly[EmbeddingRequest, EmbeddingAnswer]):
    """Titan, Nova and Cohere embeddings, always as floats."""

    dialect: Dialect = "bedrock.embeddings"
    content_type = "application/json"

    def encode_request(self, request: EmbeddingRequest, model: str, losses: Losses) -> bytes:
        """Write one request, or an array of them for models that take one text at a time."""
        if any(not isinstance(one, str) for one in request.inputs):
            losses.cannot("inputs.tokens")
        if request.user is not None:
            losses.cannot("user")
        if "cohere." in model:
            return msgspec.json.encode(_cohere(request, model, losses))
        one_by_one = _nova if "amazon.nova" in model else _titan
        bodies = [one_by_one(text, request, losses) for text in request.inputs if isinstance(text, str)]
        return msgspec.json.encode(bodies[0] if len(bodies) == 1 else bodies)

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        """Read the vectors of one answer, or of an array of them."""
        try:
            read = _decode(body)
        except UNREADABLE as error:
            raise WireError(f"the answer is none with embeddings: {error}") from None
        answers = read if isinstance(read, list) else [read]
        tokens = [one.inputTextTokenCount for one in answers]
        known = [count for count in tokens if count is not None]
        return EmbeddingAnswer(
            model="",
            vectors=tuple(vector for one in answers for vector in _vectors(one)),
            usage=Usage(prompt_tokens=sum(known)) if len(known) == len(tokens) else None,
        )

    def usage(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> Usage:
        """Tell the tokens that Bedrock counted, or estimate them."""
        return answer.usage or estimate(request)


def _titan(text: str, request: EmbeddingRequest, losses: Losses) -> dict[str, Any]:
    body: dict[str, Any] = {"inputText": text}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    if request.task is not None:
        losses.cannot("task")
    return body | losses.kept(request.extra, _TITAN_OWN)


def _nova(text: str, request: EmbeddingRequest, losses: Losses) -> dict[str, Any]:
    purpose = _NOVA_TASKS.get(request.task, "") if request.task is not None else "GENERIC_INDEX"
    if not purpose:
        losses.cannot("task")
    fields: dict[str, Any] = {
        "embeddingPurpose": purpose or "GENERIC_INDEX",
        "text": {"truncationMode": "NONE", "value": text},
    }
    if request.dimensions is not None:
        fields["embeddingDimension"] = request.dimensions
    body = {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": fields}
    return body | losses.kept(request.extra, ())


def _cohere(request: EmbeddingRequest, model: str, losses: Losses) -> dict[str, Any]:
    if request.task == "similarity":
        losses.cannot("task")
    body: dict[str, Any] = {
        "texts": request.inputs,
        "input_type": input_type(request.task),
        "embedding_types": ["float"],
    }
    if request.dimensions is not None:
        if "embed-v4" in model:
            body["output_dimension"] = request.dimensions
        else:
            losses.cannot("dimensions")
    return body | losses.kept(request.extra, _COHERE_OWN)


def _vectors(answer: _Answer) -> list[list[float]]:
    if answer.embedding is not None:
        return [answer.embedding]
    if isinstance(answer.embeddings, _ByType):
        return answer.embeddings.floats
    if answer.embeddings is None:
        raise WireError("the answer holds no embeddings")
    return [one.embedding if isinstance(one, _Nova) else one for one in answer.embeddings]
