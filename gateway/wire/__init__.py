"""Wire formats: pure translation between bytes and the gateway's values. No I/O, no plugins.

Each dialect is one module with one `Wire` object; `WIRES` finds it by name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from gateway.types import Call, Dialect
from gateway.wire.aigne_chat import AigneChat, AigneChatCodec
from gateway.wire.anthropic_count_tokens import AnthropicCountTokens, AnthropicCountTokensCodec
from gateway.wire.anthropic_messages import AnthropicMessages, AnthropicMessagesCodec
from gateway.wire.bedrock_converse import BedrockConverse
from gateway.wire.bedrock_embeddings import BedrockEmbeddings
from gateway.wire.bedrock_images import BedrockImages
from gateway.wire.codec import EVERYTHING, Codec
from gateway.wire.cohere_chat import CohereChat, CohereChatCodec
from gateway.wire.cohere_embed import CohereEmbedCodec, CohereEmbedV1Codec
from gateway.wire.cohere_embeddings import CohereEmbeddings, CohereEmbeddingsV1
from gateway.wire.cohere_rerank import CohereRerank, CohereRerankCodec
from gateway.wire.dialect import PLAIN, Given, Head, StreamCut, StreamFailed, StreamReader, Wire, WireError
from gateway.wire.exchange import Exchange, Same, Translated
from gateway.wire.gemini_count_tokens import GeminiCountTokens, GeminiCountTokensCodec
from gateway.wire.gemini_embed import GeminiEmbed, GeminiEmbedCodec, VertexEmbedCodec
from gateway.wire.gemini_generate import GeminiGenerate, GeminiGenerateCodec
from gateway.wire.gemini_images import GeminiImages
from gateway.wire.gemini_live import LIVE, GeminiLive
from gateway.wire.gemini_predict import GeminiPredict
from gateway.wire.gemini_speech import GeminiSpeech
from gateway.wire.gemini_videos import GeminiVideos
from gateway.wire.ollama_chat import OllamaChatCodec
from gateway.wire.ollama_embed import OllamaEmbedCodec
from gateway.wire.openai_chat import OpenAIChat, OpenAIChatCodec, OpenRouterChatCodec
from gateway.wire.openai_completions import OpenAICompletions, OpenAICompletionsCodec
from gateway.wire.openai_embeddings import OpenAIEmbeddings, OpenAIEmbeddingsCodec
from gateway.wire.openai_images import (
    OpenAIImageEdits,
    OpenAIImages,
    OpenAIImagesCodec,
    OpenAIImageVariations,
)
from gateway.wire.openai_moderations import OpenAIModerations
from gateway.wire.openai_realtime import REALTIME, OpenAIRealtime
from gateway.wire.openai_responses import OpenAIResponses, ResponsesCodec
from gateway.wire.openai_speech import OpenAISpeech, OpenAISpeechCodec
from gateway.wire.openai_transcriptions import OpenAITranscriptions, OpenAITranslations
from gateway.wire.openai_videos import OpenAIVideoRemix, OpenAIVideos, OpenAIVideosCodec
from gateway.wire.passthrough import PASSTHROUGH, Passthrough
from gateway.wire.token_estimate import ESTIMATE, TokenEstimate
from gateway.wire.voyage_rerank import VoyageRerankCodec

__all__ = [
    "CODECS",
    "ESTIMATE",
    "EVERYTHING",
    "LIVE",
    "PASSTHROUGH",
    "PLAIN",
    "REALTIME",
    "WIRES",
    "Exchange",
    "Given",
    "Head",
    "StreamCut",
    "StreamFailed",
    "StreamReader",
    "Wire",
    "WireError",
    "exchange",
    "translates",
]

WIRES: Mapping[str, Wire] = MappingProxyType(
    {
        wire.name: wire
        for wire in (
            AigneChat(),
            AnthropicCountTokens(),
            AnthropicMessages(),
            CohereChat(),
            CohereEmbeddings(),
            CohereEmbeddingsV1(),
            CohereRerank(),
            GeminiCountTokens(),
            GeminiEmbed(),
            GeminiGenerate(),
            GeminiLive(),
            GeminiPredict(),
            OpenAIModerations(),
            OpenAIChat(),
            OpenAICompletions(),
            OpenAIEmbeddings(),
            OpenAIResponses(),
            OpenAIImages(),
            OpenAIImageEdits(),
            OpenAIImageVariations(),
            OpenAISpeech(),
            OpenAITranscriptions(),
            OpenAITranslations(),
            OpenAIVideos(),
            OpenAIVideoRemix(),
            OpenAIRealtime(),
            Passthrough(),
        )
    }
)
"""Every dialect that clients may speak, by name."""

_FORMS: tuple[tuple[Codec[Any, Any], ...], ...] = (
    (
        AigneChatCodec(),
        AnthropicMessagesCodec(),
        BedrockConverse(),
        CohereChatCodec(),
        GeminiGenerateCodec(),
        OllamaChatCodec(),
        OpenAIChatCodec(),
        OpenAICompletionsCodec(),
        OpenRouterChatCodec(),
        ResponsesCodec(),
    ),
    (
        OpenAIEmbeddingsCodec(),
        BedrockEmbeddings(),
        CohereEmbedCodec(),
        CohereEmbedV1Codec(),
        GeminiEmbedCodec(),
        VertexEmbedCodec(),
        OllamaEmbedCodec(),
    ),
    (CohereRerankCodec(), VoyageRerankCodec()),
    (
        AnthropicCountTokensCodec(),
        GeminiCountTokensCodec(),
        TokenEstimate(),
    ),
    (
        OpenAIImagesCodec("openai.images"),
        OpenAIImagesCodec("openai.image_edits"),
        OpenAIImagesCodec("openai.image_variations"),
        GeminiImages(),
        BedrockImages(),
    ),
    (OpenAISpeechCodec(), GeminiSpeech()),
    (OpenAIVideosCodec(), GeminiVideos()),
)
"""The codecs of each form (chat, embeddings, rerank, counts of tokens, pictures, speech, films).

What is of one form can be translated into each other.
"""

CODECS: Mapping[Dialect, Codec[Any, Any]] = MappingProxyType(
    {codec.dialect: codec for form in _FORMS for codec in form}
)
"""Every dialect that can be translated, by name; some of them only providers speak."""

_FORM_OF: Mapping[Dialect, int] = MappingProxyType(
    {codec.dialect: number for number, form in enumerate(_FORMS) for codec in form}
)


def translates(client: Dialect, provider: Dialect) -> bool:
    """Whether a call in one dialect can be put to a provider that speaks the other."""
    return client == provider or (client in _FORM_OF and _FORM_OF[client] == _FORM_OF.get(provider))


def exchange(
    call: Call, dialect: Dialect, *, provider: str, may_drop: Collection[str] = frozenset()
) -> Exchange:
    """Put a call to a provider that speaks a dialect: as it is where that is the client's own, else translated.

    `provider` is the name for messages; `may_drop` holds the parameters that may be left out. Raises `InvalidRequest`
    for a request that cannot be read.
    """
    if dialect == call.dialect:
        return Same(WIRES[dialect], call, call.content_type)
    return Translated(CODECS[call.dialect], CODECS[dialect], call, provider_name=provider, may_drop=may_drop)
