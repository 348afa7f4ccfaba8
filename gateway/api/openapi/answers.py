"""What clients get: the fields that every answer has, and the shapes of errors."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

Anything: TypeAlias = dict[str, Any]


class OpenAIErrorFields(Struct):
    """What went wrong, in OpenAI's words."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(Struct):
    """https://platform.openai.com/docs/guides/error-codes."""

    error: OpenAIErrorFields


class AnthropicErrorFields(Struct):
    """What went wrong, in Anthropic's words."""

    type: str
    message: str


class AnthropicError(Struct):
    """https://platform.claude.com/docs/en/api/errors."""

    type: Literal["error"]
    error: AnthropicErrorFields
    request_id: str | None


class GeminiErrorFields(Struct):
    """What went wrong, in Google's words."""

    code: int
    message: str
    status: str


class GeminiError(Struct):
    """https://cloud.google.com/apis/design/errors."""

    error: GeminiErrorFields


class CohereError(Struct):
    """https://docs.cohere.com/v2/reference/errors."""

    message: str


class ChatCompletion(Struct):
    """A whole answer to a chat."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Anything]


class Completion(Struct):
    """A whole answer to a prompt."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[Anything]


class Response(Struct):
    """A response, as it is or as it is so far."""

    id: str
    object: Literal["response"]
    created_at: float
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    model: str
    output: list[Anything]


class Deleted(Struct):
    """What was deleted."""

    id: str
    object: str
    deleted: Literal[True]


class Page(Struct):
    """A page of a list."""

    object: Literal["list"]
    data: list[Anything]
    first_id: str | None
    last_id: str | None
    has_more: bool


class File(Struct):
    """A file that the gateway keeps."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    filename: str
    purpose: str


class Batch(Struct):
    """A batch, and how far it is."""

    id: str
    object: Literal["batch"]
    endpoint: str
    status: str
    input_file_id: str
    created_at: int


class Video(Struct):
    """A film, and how far it is."""

    id: str
    object: Literal["video"]
    status: str
    model: str
    created_at: int


class InputTokens(Struct):
    """How many tokens a request would take."""

    object: Literal["response.input_tokens"]
    input_tokens: int


class Embeddings(Struct):
    """Vectors, in the order of the input."""

    object: Literal["list"]
    data: list[Anything]
    model: str


class Moderations(Struct):
    """A judgement for each input."""

    id: str
    model: str
    results: list[Anything]


class Images(Struct):
    """Pictures, inline or where they are."""

    created: int
    data: list[Anything] | None = None


class Transcript(Struct):
    """What was said."""

    text: str


class Message(Struct):
    """A whole answer of the Messages API."""

    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[Anything]
    stop_reason: str | None
    usage: Anything


class TokenCount(Struct):
    """How many tokens a message would take."""

    input_tokens: int


class Embedded(Struct):
    """https://docs.cohere.com/v2/reference/embed; API v1 answers with bare vectors where no type is named."""

    embeddings: Anything | list[list[float]]
    id: str | None = None
    response_type: Literal["embeddings_by_type", "embeddings_floats"] | None = None
    texts: list[str] | None = None
    meta: Anything | None = None


class Ranking(Struct):
    """Documents in the order of their relevance."""

    results: list[Anything]


class GenerateContent(Struct, rename="camel"):
    """A whole answer of Gemini's."""

    usage_metadata: Anything
    candidates: list[Anything] | None = None


class GeminiCount(Struct, rename="camel"):
    """How many tokens the contents would take."""

    total_tokens: int


class EmbedContent(Struct):
    """One vector."""

    embedding: Anything


class EmbedContents(Struct):
    """Vectors, in the order of the requests."""

    embeddings: list[Anything]


class Model(Struct):
    """A model, as OpenAI describes it."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class Models(Struct):
    """The models that the caller may use."""

    object: Literal["list"]
    data: list[Model]


class AnthropicModel(Struct):
    """A model, as Anthropic describes it: for requests with the header `anthropic-version`."""

    id: str
    type: Literal["model"]
    display_name: str
    created_at: str


class AnthropicModels(Struct):
    """A page of models, as Anthropic lists them."""

    data: list[AnthropicModel]
    has_more: bool
    first_id: str | None
    last_id: str | None


class GeminiModel(Struct, rename="camel"):
    """A model, as Google describes it: for requests with the header `x-goog-api-key`."""

    name: str
    display_name: str
    supported_generation_methods: list[str]


class GeminiModels(Struct, rename="camel"):
    """A page of models, as Google lists them."""

    models: list[GeminiModel]
    next_page_token: str | None = None


class Health(Struct):
    """Whether the gateway lives, and wants traffic."""

    status: str
