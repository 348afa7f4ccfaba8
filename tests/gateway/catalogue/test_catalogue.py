"""What is found under which name, and what an operator's own file adds or changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.catalogue import Model, ModelCatalogue
from gateway.errors import ConfigError

NOW = 1_795_000_000.0  # November 2026


def own(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "models.toml"
    path.write_text(f'version = "ours"\n{text}', "utf-8")
    return path


def found(catalogue: ModelCatalogue, provider: str, name: str) -> Model:
    model = catalogue.find(provider, name)
    assert model is not None
    return model


def test_a_snapshot_is_known_as_its_family_is():
    catalogue = ModelCatalogue()
    assert catalogue.find("openai", "gpt-4o-2024-11-20") is catalogue.find("openai", "gpt-4o")
    assert found(catalogue, "openai", "gpt-4o-2024-05-13").name == "gpt-4o-2024-05-13"
    assert catalogue.find("openai", "gpt-4o-mine") is None
    assert catalogue.find("nobody", "gpt-4o") is None


def test_azure_sells_what_openai_makes():
    catalogue = ModelCatalogue()
    assert catalogue.find("azure", "gpt-5-mini") is catalogue.find("openai", "gpt-5-mini")
    assert catalogue.models("azure") == {}, "what is deployed there, nobody knows"
    assert catalogue.find("azure", "my-deployment") is None
    assert catalogue.knows_any("azure")


def test_a_star_stands_for_every_model_and_is_none():
    catalogue = ModelCatalogue()
    assert found(catalogue, "local", "llama3").name == "*"
    assert catalogue.models("local") == {}
    assert not catalogue.knows_any("local")
    assert not catalogue.knows_any("nobody")
    assert catalogue.knows_any("openai")


def test_a_file_of_ones_own_adds_models_and_changes_fields(tmp_path: Path):
    text = """
[openai."gpt-5-mini"]
context = 1000
[openai."gpt-5-mini-2025-08-07".price]
input = 1
output = 1
[openai.ours]
kind = "embedding"
[azure."gpt-5".price]
input = 9
output = 9
[local.llama.price]
input = 3
output = 3
[acme."*".price]
input = 2
output = 2
"""
    catalogue, shipped = ModelCatalogue.load(own(tmp_path, text)), ModelCatalogue()
    mini = found(catalogue, "openai", "gpt-5-mini")
    assert mini.context == 1000
    assert mini.prices == found(shipped, "openai", "gpt-5-mini").prices
    snapshot = found(catalogue, "openai", "gpt-5-mini-2025-08-07")
    assert (snapshot.kind, snapshot.context) == ("chat", 1000), "the rest is what is known of the family"
    price = snapshot.price(NOW)
    assert price is not None
    assert price.rates() == {"input": 1.0, "output": 1.0}
    assert found(catalogue, "openai", "ours").kind == "embedding"
    azure = found(catalogue, "azure", "gpt-5")
    assert (azure.provider, azure.kind) == ("azure", "chat")
    assert [len(azure.prices), azure.prices[0].input] == [2, 9_000_000_000]
    assert found(catalogue, "local", "llama").prices[0].input == 3_000_000_000
    assert found(catalogue, "local", "other").prices[0].input == 0
    assert found(catalogue, "acme", "anything").price(NOW) is not None
    assert "acme" in catalogue.providers
    assert found(shipped, "openai", "gpt-5-mini").context != 1000, "two catalogues share nothing"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[a.m]", "kind: required for a model that is not known; one of chat, "),
        ('[a.m]\nkind = "chatt"', "kind: 'chatt' is not known, did you mean 'chat'?; known are chat, "),
        ('[a.m]\nkind = "chat"\ncan = ["tols"]', "can: 'tols' is not known, did you mean 'tools'?"),
        ('[a.m]\nkind = "chat"\ncan = "tools"', "can: expected a list"),
        ('[a.m]\nkind = "chat"\ncontext = 0', "context: expected a positive number of tokens"),
        ('[a.m]\nkind = "chat"\nmax_output = true', "max_output: expected a positive number of tokens"),
        ('[a.m]\nkind = "chat"\nreleased = "2025-01-01"', "released: expected a date"),
        ('[a.m]\nkind = "chat"\nretires = 2025-01-01T00:00:00Z', "retires: expected a date"),
        ('[a.m]\nkind = "chat"\nknowledge = "2025"', "knowledge: expected a month"),
        ('[a.m]\nkinds = "chat"', "kinds: unknown key, did you mean 'kind'?; known are kind, can, "),
        (
            '[a.m]\nkind = "chat"\nprice = { second = 1, hour = 1 }',
            "price: second: stands beside hour; give one of them",
        ),
        ('[a.m]\nkind = "chat"\nprice = { image = -1 }', "price: image: a price is a number"),
        ('[a]\nm = "chat"', "expected a table"),
    ],
)
def test_an_entry_that_cannot_be_used_says_file_model_and_field(tmp_path: Path, text: str, problem: str):
    path = own(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        ModelCatalogue.load(path)
    (line,) = caught.value.problems
    assert line.startswith(f"{path}: [a] 'm': ")
    assert problem in line


@pytest.mark.parametrize("version", ['""', '"' + "x" * 41 + '"', "3", '"a\\u0000b"'])
def test_the_version_fits_the_ledger(tmp_path: Path, version: str):
    path = tmp_path / "models.toml"
    path.write_text(f"version = {version}")
    with pytest.raises(ConfigError, match="version: a text of 1 to 40 characters"):
        ModelCatalogue.load(path)
