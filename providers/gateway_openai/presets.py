"""Where the OpenAI-compatible services live, one line each, and where they differ from OpenAI."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from msgspec import Struct

from gateway.provider.openai_api import (
    COMPLETIONS,
    DIALECTS,
    IMAGES,
    MODERATIONS,
    REALTIME,
    RESPONSES,
    SPEECH,
    TRANSCRIPTIONS,
    VIDEOS,
)
from gateway.types import Capability, Dialect
from gateway_openai.strange import ALL, DETAILS, EXTRAS, SIGNATURES, THOUGHTS

BESIDES: Final[Mapping[Dialect, str]] = {
    "cohere.rerank": "/rerank",
    "voyage.rerank": "/rerank",
    "openrouter.chat": "/chat/completions",
}
"""Where requests go in dialects that OpenAI itself has not."""

_HINTED: Final[Mapping[Capability, Dialect]] = {"chat": "openrouter.chat"}
SOUND: Final[Mapping[Capability, Dialect]] = {**SPEECH, **TRANSCRIPTIONS}
PICTURES_AND_SOUND: Final[Mapping[Capability, Dialect]] = {**IMAGES, **SOUND}
ALL_MEDIA: Final[Mapping[Capability, Dialect]] = {**PICTURES_AND_SOUND, **VIDEOS}


class Preset(Struct, frozen=True):
    """One service."""

    base_url: str
    catalogue: str
    """Under which name the price book lists its models."""
    needs_key: bool = True
    takes_stream_options: bool = True
    """False where `stream_options` is refused; such a service reports usage in its streams without being asked."""
    lists_models: bool = True
    """Whether it has `GET /models`."""
    has_responses: bool = False
    """Whether it has `POST /responses`, for all of its models; elsewhere such calls are put to it as chats."""
    has_completions: bool = False
    """Whether it has the legacy `POST /completions`; elsewhere such calls are put to it as chats."""
    newest_words: bool = False
    """Whether it wants `max_completion_tokens` and the role `developer`; others get `max_tokens` and `system` instead, where
    a request is translated."""
    takes_cache_control: bool = False
    """Whether its chats take Anthropic's `cache_control` in the parts of messages."""
    strange: tuple[bytes, ...] = EXTRAS
    """Fields in which others say their thoughts, and this service does not: clients give them back, and strict services
    refuse them. Most take `reasoning_content`."""
    realtime: bool = False
    """Whether it has the Realtime API."""
    moderates: bool = False
    """Whether it has `POST /moderations`."""
    media: Mapping[Capability, Dialect] = MappingProxyType({})
    """Pictures, speech, transcriptions and films, where it has them."""
    rerank: Dialect | None = None
    """What its `POST /rerank` speaks, where it has that."""

    def dialects(self) -> Mapping[Capability, Dialect]:
        """Return what the service can do, and in which wire format."""
        return {
            **DIALECTS,
            **(_HINTED if self.takes_cache_control else {}),
            **(RESPONSES if self.has_responses else {}),
            **(COMPLETIONS if self.has_completions else {}),
            **(MODERATIONS if self.moderates else {}),
            **(REALTIME if self.realtime else {}),
            **self.media,
            **({"rerank": self.rerank} if self.rerank else {}),
        }


PRESETS: Final[Mapping[str, Preset]] = {
    "openai": Preset(
        "https://api.openai.com/v1",
        "openai",
        has_responses=True,
        moderates=True,
        has_completions=True,
        newest_words=True,
        strange=ALL,
        realtime=True,
        media=PICTURES_AND_SOUND,  # its Videos API was shut down on 2026-09-24
    ),
    "cerebras": Preset("https://api.cerebras.ai/v1", "cerebras", has_completions=True, strange=ALL),
    "cohere": Preset("https://api.cohere.ai/compatibility/v1", "cohere", lists_models=False),
    "deepinfra": Preset(
        "https://api.deepinfra.com/v1/openai", "deepinfra", has_completions=True, media=PICTURES_AND_SOUND
    ),
    "deepseek": Preset("https://api.deepseek.com/v1", "deepseek"),
    "fireworks": Preset("https://api.fireworks.ai/inference/v1", "fireworks", has_completions=True),
    "gemini": Preset(
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "gemini",
        strange=(*THOUGHTS, *DETAILS),
        media=IMAGES,
    ),
    "github": Preset(
        "https://models.github.ai/inference", "github", lists_models=False, newest_words=True, strange=ALL
    ),
    "groq": Preset("https://api.groq.com/openai/v1", "groq", has_responses=True, strange=ALL, media=SOUND),
    "huggingface": Preset("https://router.huggingface.co/v1", "huggingface"),
    "hyperbolic": Preset("https://api.hyperbolic.xyz/v1", "hyperbolic", has_completions=True),
    "jina": Preset("https://api.jina.ai/v1", "jina", lists_models=False, rerank="cohere.rerank"),
    "minimax": Preset("https://api.minimax.io/v1", "minimax", lists_models=False, strange=SIGNATURES),
    "mistral": Preset(
        "https://api.mistral.ai/v1",
        "mistral",
        takes_stream_options=False,
        strange=ALL,
        moderates=True,
        media=TRANSCRIPTIONS,
    ),
    "moonshot": Preset("https://api.moonshot.ai/v1", "moonshot"),
    "nebius": Preset("https://api.tokenfactory.nebius.com/v1", "nebius", has_completions=True, media=IMAGES),
    "novita": Preset(
        "https://api.novita.ai/openai/v1", "novita", rerank="cohere.rerank", has_completions=True
    ),
    "nvidia": Preset("https://integrate.api.nvidia.com/v1", "nvidia"),
    "openrouter": Preset(
        "https://openrouter.ai/api/v1",
        "openrouter",
        has_responses=True,
        rerank="cohere.rerank",
        has_completions=True,
        takes_cache_control=True,
        strange=SIGNATURES,
    ),
    "perplexity": Preset("https://api.perplexity.ai", "perplexity", lists_models=False),
    "qwen": Preset(
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen", takes_cache_control=True
    ),
    "sambanova": Preset("https://api.sambanova.ai/v1", "sambanova"),
    "siliconflow": Preset(
        "https://api.siliconflow.com/v1",
        "siliconflow",
        rerank="cohere.rerank",
        has_completions=True,
        media=PICTURES_AND_SOUND,
    ),
    "together": Preset(
        "https://api.together.xyz/v1",
        "together",
        rerank="cohere.rerank",
        has_completions=True,
        media=PICTURES_AND_SOUND,
    ),
    "vercel": Preset(
        "https://ai-gateway.vercel.sh/v1",
        "vercel",
        newest_words=True,
        takes_cache_control=True,
        strange=SIGNATURES,
    ),
    "voyage": Preset("https://api.voyageai.com/v1", "voyage", lists_models=False, rerank="voyage.rerank"),
    "xai": Preset("https://api.x.ai/v1", "xai", has_responses=True, realtime=True, media=IMAGES),
    "zhipu": Preset("https://open.bigmodel.cn/api/paas/v4", "zhipu", lists_models=False, media=IMAGES),
    # Servers on machines of one's own, on the ports they use unless told otherwise.
    "litellm": Preset(
        "http://127.0.0.1:4000/v1",
        "litellm",
        needs_key=False,
        strange=(),
        realtime=True,
        has_responses=True,
        moderates=True,
        rerank="cohere.rerank",
        has_completions=True,
        media=ALL_MEDIA,
    ),
    "llamacpp": Preset(
        "http://127.0.0.1:8080/v1", "local", needs_key=False, rerank="cohere.rerank", has_completions=True
    ),
    "lmstudio": Preset(
        "http://127.0.0.1:1234/v1", "local", needs_key=False, has_responses=True, has_completions=True
    ),
    "localai": Preset(
        "http://127.0.0.1:8080/v1",
        "local",
        needs_key=False,
        realtime=True,
        rerank="cohere.rerank",
        has_completions=True,
        media=PICTURES_AND_SOUND,
    ),
    "ollama": Preset(
        "http://127.0.0.1:11434/v1", "local", needs_key=False, has_responses=True, has_completions=True
    ),
    "sglang": Preset("http://127.0.0.1:30000/v1", "local", needs_key=False, has_completions=True),
    "tgi": Preset("http://127.0.0.1:3000/v1", "local", needs_key=False, has_completions=True),
    "vllm": Preset(
        "http://127.0.0.1:8000/v1",
        "local",
        needs_key=False,
        realtime=True,
        has_responses=True,
        rerank="cohere.rerank",
        has_completions=True,
        media=TRANSCRIPTIONS,
    ),
}
