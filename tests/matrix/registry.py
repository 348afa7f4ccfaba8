"""The clients of the matrix: each a folder with a program that runs in an environment of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

NPM: Final = "npm"


class Client(Struct, frozen=True):
    """One client."""

    name: str
    """Its folder."""
    title: str
    environment: str | None = None
    """What it needs: `requirements/NAME.txt`, or `NPM`. None: the development packages."""

    @property
    def always(self) -> bool:
        """Whether it is run by `make test`."""
        return self.environment is None


CLIENTS: Sequence[Client] = (
    Client("openai", "OpenAI, Python, chat completions"),
    Client("openai_responses", "OpenAI, Python, responses"),
    Client("anthropic", "Anthropic, Python"),
    Client("google_genai", "Google Gen AI, Python"),
    Client("cohere", "Cohere, Python, at /provider/cohere", "cohere"),
    Client("langchain_openai", "LangChain for OpenAI", "langchain"),
    Client("langchain_anthropic", "LangChain for Anthropic", "langchain"),
    Client("langchain_google", "LangChain for Google", "langchain"),
    Client("llama_index_openai", "LlamaIndex for OpenAI", "llama_index"),
    Client("openai_agents", "OpenAI Agents", "agents"),
    Client("pydantic_ai", "Pydantic AI for OpenAI", "pydantic_ai"),
    Client("instructor", "Instructor for OpenAI", "instructor"),
    Client("llm", "llm", "llm"),
    Client("openai_npm", "OpenAI, npm, chat completions", NPM),
    Client("anthropic_npm", "Anthropic, npm", NPM),
    Client("vercel_openai", "Vercel AI SDK for OpenAI", NPM),
    Client("vercel_anthropic", "Vercel AI SDK for Anthropic", NPM),
)
