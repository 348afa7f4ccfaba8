"""Cohere's embeddings to and from the canonical form. https://docs.cohere.com/v2/reference/embed and, for API v1, /v1/reference/embed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from gateway.errors import InvalidRequest
from gateway.types import Dialect, Usage
from gateway.wire.body import UNREADABLE, read_request
from gateway.wire.canonical.embedding import EmbeddingAnswer, EmbeddingRequest, EmbeddingTask
from gateway.wire.codec import Losses
from gateway.wire.dialect import WireError
from gateway.wire.embedding_estimate import estimate
from gateway.wire.openai_embeddings.codec import packed

V1: Final[Dialect] = "cohere.embed_v1"
"""API v1, which answers with bare vectors where no type of them is named."""
OWN: Final = frozenset({"input_type", "max_tokens", "priority", "truncate"})
"""Cohere's own parameters, passed on when a client adds them to its request."""

_INPUT_TYPES: Final[Mapping[EmbeddingTask, str]] = {
    "query": "search_query",
    "question_answering": "search_query",
    "fact_verification": "search_query",
    "code_query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}
_TASKS: Final[Mapping[str, EmbeddingTask]] = {
    "search_query": "query",
    "search_document": "document",
    "classification": "classification",
    "clustering": "clustering",
}
_WRITABLE: Final = frozenset({"float", "base64"})
"""Types that vectors of any provider can be written in; the others are Cohere's own way to make them smaller."""
_UNSAID: Final = "search_document"
"""Cohere insists on a type; a client that names none gets this one for documents and queries alike."""


class _Content(Struct):
    type: str
    text: str | None = None


class _Input(Struct):
    content: list[_Content]


class _Request(Struct):
    texts: list[str] | None = None
    inputs: list[_Input] | None = None
    images: list[str] | None = None
    input_type: str | None = None
    embedding_types: list[str] | None = None
    output_dimension: int | None = None
    truncate: str | None = None


class TypedRequest(EmbeddingRequest, frozen=True, kw_only=True):
    """What a client of Cohere's wants embedded."""

    types: tuple[str, ...] = ()
    """How the vectors are to be written; empty when the client did not say."""


class _ByType(Struct):
    floats: list[list[float]] = field(name="float")


class _Units(Struct):
    input_tokens: float | None = None


class _Meta(Struct):
    tokens: _Units | None = None
    billed_units: _Units | None = None


class _Answer(Struct):
    embeddings: _ByType
    meta: _Meta | None = None


_decode = msgspec.json.Decoder(_Answer).decode
_decode_request = msgspec.json.Decoder(_Request).decode
_decode_fields = msgspec.json.Decoder(dict[str, Any]).decode
_KNOWN: Final = frozenset({"model", *_Request.__struct_fields__})


class CohereEmbedCodec:
    """Embeddings over `/v2/embed`; providers are asked for floats."""

    dialect: Dialect = "cohere.embed"
    names: Mapping[str, str] = {"inputs": "texts", "task": "input_type", "dimensions": "output_dimension"}
    content_type = "application/json"

    def decode_request(self, body: bytes, *, model: str, stream: bool) -> TypedRequest:  # noqa: ARG002 - never streamed
        """Read texts. Raises `InvalidRequest` for pictures, which only Cohere's own models take."""
        request, fields = read_request(_decode_request, body), _decode_fields(body)
        extra = {name: fields[name] for name in fields.keys() - _KNOWN if fields[name] is not None}
        if request.truncate not in {None, "END"}:  # what Cohere does when nothing is said
            extra["truncate"] = request.truncate
        types = tuple(request.embedding_types or ())
        if not _WRITABLE.issuperset(types):
            extra["embedding_types"] = types
        return TypedRequest(
            dialect=self.dialect,
            model=model,
            inputs=_texts(request),
            dimensions=request.output_dimension,
            task=_task(request.input_type),
            extra=extra,
            types=types,
        )

    def encode_answer(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> bytes:
        """Write vectors in the types that the client asked for."""
        types = (request.types if isinstance(request, TypedRequest) else ()) or ("float",)
        vectors = {
            kind: [packed(vector) if kind == "base64" else vector for vector in answer.vectors]
            for kind in types
            if kind in _WRITABLE
        }
        return self._written("embeddings_by_type", vectors, answer, request)

    def _written(self, kind: str, vectors: Any, answer: EmbeddingAnswer, request: EmbeddingRequest) -> bytes:
        version = "1" if self.dialect == V1 else "2"
        units = {"input_tokens": self.usage(answer, request).prompt_tokens}
        return msgspec.json.encode(
            {
                "id": str(uuid.uuid4()),
                "response_type": kind,
                "embeddings": vectors,
                "texts": request.inputs,
                "meta": {"api_version": {"version": version}, "billed_units": units},
            }
        )

    def encode_request(self, request: EmbeddingRequest, model: str, losses: Losses) -> bytes:
        """Write a request; what Cohere has no word for is told to `losses`."""
        if any(not isinstance(one, str) for one in request.inputs):
            losses.cannot("inputs.tokens")
        if request.user is not None:
            losses.cannot("user")
        if request.task == "similarity":
            losses.cannot("task")
        body: dict[str, Any] = {
            "model": model,
            "texts": request.inputs,
            "input_type": input_type(request.task),
            "embedding_types": ["float"],
        }
        if request.dimensions is not None:
            body["output_dimension"] = request.dimensions
        return msgspec.json.encode(body | losses.kept(request.extra, OWN))

    def decode_answer(self, body: bytes) -> EmbeddingAnswer:
        """Read vectors and what is on the bill."""
        try:
            answer = _decode(body)
        except UNREADABLE as error:
            raise WireError(f"the answer is not one of Cohere's embeddings: {error}") from None
        meta = answer.meta or _Meta()
        units = meta.tokens or meta.billed_units
        tokens = units.input_tokens if units else None
        return EmbeddingAnswer(
            model="",
            vectors=tuple(answer.embeddings.floats),
            usage=None if tokens is None else Usage(prompt_tokens=int(tokens)),
        )

    def usage(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> Usage:
        """Tell the tokens that Cohere counted, or estimate them."""
        return answer.usage or estimate(request)


class CohereEmbedV1Codec(CohereEmbedCodec):
    """Embeddings over `/v1/embed`, for clients: what they ask is put to Cohere as it is."""

    dialect: Dialect = V1

    def encode_answer(self, answer: EmbeddingAnswer, request: EmbeddingRequest) -> bytes:
        """Write bare vectors, or by type where the client names types."""
        if isinstance(request, TypedRequest) and request.types:
            return super().encode_answer(answer, request)
        return self._written("embeddings_floats", answer.vectors, answer, request)


def input_type(task: EmbeddingTask | None) -> str:
    """Return what Cohere calls the purpose of vectors; there is nothing for `similarity`."""
    return _UNSAID if task is None else _INPUT_TYPES.get(task, _UNSAID)


def _texts(request: _Request) -> tuple[str, ...]:
    """Return what is to be embedded, one text for each vector."""
    texts = list(request.texts or ())
    for one in request.inputs or ():
        if len(one.content) != 1 or one.content[0].text is None:
            raise InvalidRequest(
                "Only Cohere's own models can embed 'inputs' that are more than one text each.",
                param="inputs",
            )
        texts.append(one.content[0].text)
    if request.images:
        raise InvalidRequest("Only Cohere's own models can embed 'images'.", param="images")
    if not texts:
        raise InvalidRequest("Invalid 'texts': there must be one at least.", param="texts")
    return tuple(texts)


def _task(kind: str | None) -> EmbeddingTask | None:
    if kind is None or kind in _TASKS:
        return None if kind is None else _TASKS[kind]
    raise InvalidRequest(
        f"Invalid 'input_type': '{kind}' is none of {', '.join(_TASKS)}.",
        param="input_type",
        code="invalid_value",
    )
