"""What clients send, as far as the gateway itself looks at it. Each dialect's other fields are taken too."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct

Name: TypeAlias = Annotated[str, Meta(min_length=1)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
Anything: TypeAlias = dict[str, Any]
File: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "binary"})]


class ChatMessage(Struct):
    """One turn of a chat."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Anything] | None = None


class ChatRequest(Struct):
    """https://platform.openai.com/docs/api-reference/chat/create."""

    model: Name
    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: Anything | None = None
    max_completion_tokens: Count | None = None
    n: Count | None = None
    tools: list[Anything] | None = None
    response_format: Anything | None = None


class CompletionRequest(Struct):
    """https://platform.openai.com/docs/api-reference/completions/create."""

    model: Name
    prompt: str | list[str]
    stream: bool | None = None
    max_tokens: Count | None = None


class ResponseRequest(Struct):
    """https://platform.openai.com/docs/api-reference/responses/create."""

    model: Name
    input: str | list[Anything]
    instructions: str | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    tools: list[Anything] | None = None


class InputTokensRequest(Struct):
    """https://platform.openai.com/docs/api-reference/responses/input-tokens."""

    input: str | list[Anything] | None = None
    model: str | None = None
    instructions: str | None = None
    previous_response_id: str | None = None


class EmbeddingRequest(Struct):
    """https://platform.openai.com/docs/api-reference/embeddings/create."""

    model: Name
    input: Name | Annotated[list[Name | int | list[int]], Meta(min_length=1)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Count | None = None


class ModerationRequest(Struct):
    """https://platform.openai.com/docs/api-reference/moderations/create."""

    input: Name | Annotated[list[Name | Anything], Meta(min_length=1)]
    model: str | None = None


class ImageRequest(Struct):
    """https://platform.openai.com/docs/api-reference/images/create."""

    model: Name
    prompt: Name
    n: Annotated[int, Meta(ge=1, le=10)] | None = None
    stream: bool | None = None


class ImageEditForm(Struct):
    """https://platform.openai.com/docs/api-reference/images/createEdit."""

    model: Name
    prompt: Name
    image: File
    mask: File | None = None


class ImageEditRequest(Struct):
    """The same in JSON, with the places of the pictures."""

    model: Name
    prompt: Name
    images: Annotated[list[Anything], Meta(min_length=1)]


class ImageVariationForm(Struct):
    """https://platform.openai.com/docs/api-reference/images/createVariation."""

    model: Name
    image: File


class SpeechRequest(Struct):
    """https://platform.openai.com/docs/api-reference/audio/createSpeech."""

    model: Name
    input: Name
    voice: str | Anything
    response_format: str | None = None
    stream_format: Literal["audio", "sse"] | None = None


class TranscriptionForm(Struct):
    """https://platform.openai.com/docs/api-reference/audio/createTranscription."""

    model: Name
    file: File
    language: str | None = None
    response_format: str | None = None


class MessagesRequest(Struct):
    """https://platform.claude.com/docs/en/api/messages/create."""

    model: Name
    messages: Annotated[list[Turn], Meta(min_length=1)]
    max_tokens: Count
    system: str | list[Anything] | None = None
    stream: bool | None = None
    tools: list[Anything] | None = None


class Turn(Struct):
    """One turn of a conversation with Anthropic's clients."""

    role: Literal["user", "assistant"]
    content: str | list[Anything]


class CountTokensRequest(Struct):
    """https://platform.claude.com/docs/en/api/messages-count-tokens."""

    model: Name
    messages: Annotated[list[Turn], Meta(min_length=1)]
    system: str | list[Anything] | None = None


class RerankRequest(Struct):
    """https://docs.cohere.com/v2/reference/rerank."""

    model: Name
    query: Name
    documents: Annotated[list[str | Anything], Meta(min_length=1)]
    top_n: Count | None = None


class EmbedRequest(Struct):
    """https://docs.cohere.com/v2/reference/embed."""

    model: Name
    texts: Annotated[list[str], Meta(min_length=1)]
    input_type: Literal["search_document", "search_query", "classification", "clustering"] | None = None
    embedding_types: list[Literal["float", "base64"]] | None = None
    output_dimension: Count | None = None


class Part(Struct, rename="camel"):
    """A part of what is said to Gemini."""

    text: str | None = None
    inline_data: Anything | None = None


class Content(Struct):
    """One turn of a conversation with Gemini's clients."""

    parts: list[Part]
    role: Literal["user", "model"] | None = None


class GenerateContentRequest(Struct, rename="camel"):
    """https://ai.google.dev/api/generate-content."""

    contents: Annotated[list[Content], Meta(min_length=1)]
    system_instruction: Content | None = None
    generation_config: Anything | None = None
    tools: list[Anything] | None = None


class GeminiCountRequest(Struct, rename="camel"):
    """https://ai.google.dev/api/tokens."""

    contents: Annotated[list[Content], Meta(min_length=1)]


class EmbedContentRequest(Struct, rename="camel"):
    """https://ai.google.dev/api/embeddings."""

    content: Content
    task_type: str | None = None
    output_dimensionality: Count | None = None


class EmbedContentsRequest(Struct):
    """https://ai.google.dev/api/embeddings#method:-models.batchembedcontents."""

    requests: Annotated[list[EmbedContentRequest], Meta(min_length=1)]


class FileForm(Struct):
    """https://platform.openai.com/docs/api-reference/files/create."""

    file: File
    purpose: Literal["assistants", "batch", "evals", "fine-tune", "user_data", "vision"]


class BatchRequest(Struct):
    """https://platform.openai.com/docs/api-reference/batch/create."""

    input_file_id: str
    endpoint: str
    completion_window: Literal["24h"]
    metadata: dict[str, str] | None = None


class VideoRequest(Struct):
    """https://platform.openai.com/docs/api-reference/videos/create."""

    model: Name
    prompt: Name
    seconds: str | None = None
    size: str | None = None


class VideoForm(Struct):
    """The same as a form, perhaps with a picture to begin with."""

    model: Name
    prompt: Name
    seconds: str | None = None
    size: str | None = None
    input_reference: File | None = None


class RemixRequest(Struct):
    """https://platform.openai.com/docs/api-reference/videos/remix."""

    prompt: Name
