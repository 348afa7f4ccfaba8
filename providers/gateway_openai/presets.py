"""Where the OpenAI-compatible services live, one line each, and where they differ from OpenAI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct


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


PRESETS: Final[Mapping[str, Preset]] = {
    "openai": Preset("https://api.openai.com/v1", "openai"),
    "cerebras": Preset("https://api.cerebras.ai/v1", "cerebras"),
    "cohere": Preset("https://api.cohere.ai/compatibility/v1", "cohere", lists_models=False),
    "deepinfra": Preset("https://api.deepinfra.com/v1/openai", "deepinfra"),
    "deepseek": Preset("https://api.deepseek.com/v1", "deepseek"),
    "fireworks": Preset("https://api.fireworks.ai/inference/v1", "fireworks"),
    "gemini": Preset("https://generativelanguage.googleapis.com/v1beta/openai", "gemini"),
    "github": Preset("https://models.github.ai/inference", "github", lists_models=False),
    "groq": Preset("https://api.groq.com/openai/v1", "groq"),
    "huggingface": Preset("https://router.huggingface.co/v1", "huggingface"),
    "hyperbolic": Preset("https://api.hyperbolic.xyz/v1", "hyperbolic"),
    "minimax": Preset("https://api.minimax.io/v1", "minimax", lists_models=False),
    "mistral": Preset("https://api.mistral.ai/v1", "mistral", takes_stream_options=False),
    "moonshot": Preset("https://api.moonshot.ai/v1", "moonshot"),
    "nebius": Preset("https://api.tokenfactory.nebius.com/v1", "nebius"),
    "novita": Preset("https://api.novita.ai/openai/v1", "novita"),
    "nvidia": Preset("https://integrate.api.nvidia.com/v1", "nvidia"),
    "openrouter": Preset("https://openrouter.ai/api/v1", "openrouter"),
    "perplexity": Preset("https://api.perplexity.ai", "perplexity", lists_models=False),
    "qwen": Preset("https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "qwen"),
    "sambanova": Preset("https://api.sambanova.ai/v1", "sambanova"),
    "siliconflow": Preset("https://api.siliconflow.com/v1", "siliconflow"),
    "together": Preset("https://api.together.xyz/v1", "together"),
    "vercel": Preset("https://ai-gateway.vercel.sh/v1", "vercel"),
    "xai": Preset("https://api.x.ai/v1", "xai"),
    "zhipu": Preset("https://open.bigmodel.cn/api/paas/v4", "zhipu", lists_models=False),
    # Servers on machines of one's own, on the ports they use unless told otherwise.
    "litellm": Preset("http://127.0.0.1:4000/v1", "litellm", needs_key=False),
    "llamacpp": Preset("http://127.0.0.1:8080/v1", "local", needs_key=False),
    "lmstudio": Preset("http://127.0.0.1:1234/v1", "local", needs_key=False),
    "localai": Preset("http://127.0.0.1:8080/v1", "local", needs_key=False),
    "ollama": Preset("http://127.0.0.1:11434/v1", "local", needs_key=False),
    "sglang": Preset("http://127.0.0.1:30000/v1", "local", needs_key=False),
    "tgi": Preset("http://127.0.0.1:3000/v1", "local", needs_key=False),
    "vllm": Preset("http://127.0.0.1:8000/v1", "local", needs_key=False),
}
