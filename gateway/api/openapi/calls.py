"""The routes that make calls, and those about the gateway itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.api.openapi import answers as a
from gateway.api.openapi import requests as r
from gateway.api.openapi.operation import EVENTS, Operation

_ALL: Final = ("openai", "anthropic", "gemini")
_MODELS: Final = (a.Models, a.AnthropicModels, a.GeminiModels)
_MODEL: Final = (a.Model, a.AnthropicModel, a.GeminiModel)

CALLS: Final[Mapping[tuple[str, str], Operation]] = MappingProxyType(
    {
        ("POST", "/v1/chat/completions"): Operation(
            summary="Chat", request=r.ChatRequest, answers=(a.ChatCompletion,), others=(EVENTS,)
        ),
        ("POST", "/v1/completions"): Operation(
            summary="Complete a prompt",
            request=r.CompletionRequest,
            answers=(a.Completion,),
            others=(EVENTS,),
        ),
        ("POST", "/v1/responses"): Operation(
            summary="Create a response", request=r.ResponseRequest, answers=(a.Response,), others=(EVENTS,)
        ),
        ("POST", "/v1/embeddings"): Operation(
            summary="Embed", request=r.EmbeddingRequest, answers=(a.Embeddings,)
        ),
        ("POST", "/v1/moderations"): Operation(
            summary="Moderate", request=r.ModerationRequest, answers=(a.Moderations,)
        ),
        ("POST", "/v1/images/generations"): Operation(
            summary="Make pictures", request=r.ImageRequest, answers=(a.Images,), others=(EVENTS,)
        ),
        ("POST", "/v1/images/edits"): Operation(
            summary="Edit pictures",
            request=r.ImageEditRequest,
            form=r.ImageEditForm,
            answers=(a.Images,),
            others=(EVENTS,),
        ),
        ("POST", "/v1/images/variations"): Operation(
            summary="Vary a picture", form=r.ImageVariationForm, answers=(a.Images,)
        ),
        ("POST", "/v1/audio/speech"): Operation(
            summary="Read a text aloud", request=r.SpeechRequest, others=(EVENTS, "audio/*")
        ),
        ("POST", "/v1/audio/transcriptions"): Operation(
            summary="Write down what is said",
            form=r.TranscriptionForm,
            answers=(a.Transcript,),
            others=(EVENTS, "text/plain"),
        ),
        ("POST", "/v1/audio/translations"): Operation(
            summary="Write down in English what is said",
            form=r.TranscriptionForm,
            answers=(a.Transcript,),
            others=("text/plain",),
        ),
        ("POST", "/v1/messages"): Operation(
            summary="Chat, in Anthropic's words",
            families=("anthropic",),
            request=r.MessagesRequest,
            answers=(a.Message,),
            others=(EVENTS,),
        ),
        ("POST", "/v1/messages/count_tokens"): Operation(
            summary="Count the tokens of a chat, in Anthropic's words",
            families=("anthropic",),
            request=r.CountTokensRequest,
            answers=(a.TokenCount,),
        ),
        **{
            ("POST", path): Operation(
                summary="Order documents by relevance",
                families=("cohere",),
                request=r.RerankRequest,
                answers=(a.Ranking,),
            )
            for path in ("/v1/rerank", "/v2/rerank")
        },
        **{
            ("POST", path): Operation(
                summary="Make vectors of texts, in Cohere's words",
                families=("cohere",),
                request=r.EmbedRequest,
                answers=(a.Embedded,),
            )
            for path in ("/v1/embed", "/v2/embed")
        },
        ("GET", "/v1/models"): Operation(summary="List models", families=_ALL, answers=_MODELS),
        ("GET", "/v1/models/{id}"): Operation(summary="Describe a model", families=_ALL, answers=_MODEL),
        ("GET", "/v1beta/models"): Operation(
            summary="List models, in Google's words", families=("gemini",), answers=(a.GeminiModels,)
        ),
        ("GET", "/v1beta/models/{id}"): Operation(
            summary="Describe a model, in Google's words", families=("gemini",), answers=(a.GeminiModel,)
        ),
        **{
            ("POST", f"/{version}/models/{{model}}:{method}"): operation
            for version in ("v1", "v1beta")
            for method, operation in (
                (
                    "generateContent",
                    Operation(
                        summary="Chat, in Google's words",
                        families=("gemini",),
                        request=r.GenerateContentRequest,
                        answers=(a.GenerateContent,),
                    ),
                ),
                (
                    "streamGenerateContent",
                    Operation(
                        summary="Chat as a stream, in Google's words: JSON, or events with `alt=sse`",
                        families=("gemini",),
                        request=r.GenerateContentRequest,
                        others=("application/json", EVENTS),
                        query={"alt": {"type": "string", "enum": ["json", "sse"]}},
                    ),
                ),
                (
                    "countTokens",
                    Operation(
                        summary="Count tokens, in Google's words",
                        families=("gemini",),
                        request=r.GeminiCountRequest,
                        answers=(a.GeminiCount,),
                    ),
                ),
                (
                    "embedContent",
                    Operation(
                        summary="Embed a text, in Google's words",
                        families=("gemini",),
                        request=r.EmbedContentRequest,
                        answers=(a.EmbedContent,),
                    ),
                ),
                (
                    "batchEmbedContents",
                    Operation(
                        summary="Embed texts, in Google's words",
                        families=("gemini",),
                        request=r.EmbedContentsRequest,
                        answers=(a.EmbedContents,),
                    ),
                ),
            )
        },
        ("GET", "/healthz"): Operation(
            summary="Say that the gateway lives", answers=(a.Health,), public=True
        ),
        ("GET", "/readyz"): Operation(
            summary="Say whether the gateway wants traffic", answers=(a.Health,), public=True
        ),
        ("GET", "/openapi.json"): Operation(
            summary="Describe the routes", others=("application/json",), public=True
        ),
    }
)
"""By method and path, as OpenAPI writes paths."""
