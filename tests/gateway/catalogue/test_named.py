"""The models that documentation, examples and recorded traffic name are known, so that readers meet names that exist and have prices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.catalogue import ModelCatalogue

HOME = Path(__file__).parents[3]
PAGES = (
    "README.md",
    "plugins.toml",
    "docs/**/*.md",
    "providers/*/README.md",
    "plugins/*/README.md",
    "middleware/*/README.md",
    "examples/**/*.md",
    "examples/**/*.toml",
)
"""Where an operator's words for models stand."""
RECORDED = {
    "anthropic": ("anthropic_messages/*",),
    "cohere": ("cohere_chat/*",),
    "gemini": ("gemini_generate/golden/*",),
    "openai": ("openai_chat/golden/*", "openai_responses/*"),
}
"""Traffic of each provider in the tests; Ollama's is left out, for whoever runs it names models as they like."""
CATALOGUE = ModelCatalogue()
_TARGET = re.compile(rf'"({"|".join(CATALOGUE.providers)})[:/]([A-Za-z0-9][\w.:/-]*)"')
_MODEL = re.compile(r'"(?:model|modelVersion)":\s*"([^"]+)"')


def documented() -> Iterator[tuple[str, str, str]]:
    for pattern in PAGES:
        for page in HOME.glob(pattern):
            for provider, model in _TARGET.findall(page.read_text("utf-8")):
                yield str(page.relative_to(HOME)), provider, model


def recorded() -> Iterator[tuple[str, str, str]]:
    wire = HOME / "tests/gateway/wire"
    for provider, patterns in RECORDED.items():
        for pattern in patterns:
            for path in wire.glob(pattern):
                if path.suffix in {".json", ".sse", ".ndjson"}:
                    for model in _MODEL.findall(path.read_text("utf-8")):
                        yield str(path.relative_to(HOME)), provider, model


NAMED = sorted({*documented(), *recorded()})


@pytest.mark.parametrize(("where", "provider", "model"), NAMED)
def test_a_model_that_is_named_is_known(where: str, provider: str, model: str) -> None:
    assert CATALOGUE.find(provider, model), (
        f"{where} names {provider}:{model}, which the catalogue does not know"
    )


def test_there_are_names_to_look_for() -> None:
    assert {provider for _, provider, _ in NAMED} >= set(RECORDED)
