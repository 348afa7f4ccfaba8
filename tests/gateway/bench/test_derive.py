from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from gateway.bench.derive import MODEL, derive
from gateway.config import Config


def derived(tmp_path: Path, text: str) -> tuple[dict[str, Any], Any]:
    file = tmp_path / "plugins.toml"
    file.write_text(text)
    result = derive(Config.from_file(file), database="sqlite:////x.db", upstream="http://127.0.0.1:1/v1")
    return tomllib.loads(result.text), result


def test_keeps_the_plugins_and_their_order(tmp_path: Path):
    data, result = derived(
        tmp_path,
        """
        [middleware.metrics]
        path = "/m"
        [auth.apikey]
        [provider.mock]
        [middleware.ratelimit]
        """,
    )
    order = ["middleware.metrics", "auth.apikey", "provider.mock", "middleware.ratelimit"]
    headings = [
        line.strip("[]").replace('"', "") for line in result.text.splitlines() if line.startswith("[")
    ]
    assert [name for name in headings if name in order] == order
    assert data["middleware"]["metrics"] == {"use": "metrics", "path": "/m"}
    assert result.needs_key


def test_is_a_valid_config_with_a_model_that_leads_to_the_upstream(tmp_path: Path):
    data, result = derived(
        tmp_path,
        '[gateway]\ndatabase = "postgresql://u@h/real"\n[models.fast]\ntargets = ["mock:a"]\n[provider.mock]\n',
    )
    again = Config.from_dict(data)
    assert again.models[MODEL].targets[0].provider == MODEL
    assert data["provider"][MODEL]["base_url"] == "http://127.0.0.1:1/v1"
    assert data["gateway"]["database"] == "sqlite:////x.db"
    assert "fast" in again.models
    assert not result.needs_key


def test_lifts_rate_limits_and_says_so(tmp_path: Path):
    data, result = derived(tmp_path, "[middleware.ratelimit]\nrequests_per_minute = 5\n")
    assert data["middleware"]["ratelimit"]["requests_per_minute"] == 10**9
    assert any("limits are lifted" in note for note in result.notes)


def test_leaves_sinks_out_and_says_so(tmp_path: Path):
    data, result = derived(tmp_path, "[sink.somewhere]\n")
    assert "sink" not in data
    assert any("[sink.somewhere]" in note for note in result.notes)


def test_adds_api_keys_to_other_authentication(tmp_path: Path):
    data, result = derived(tmp_path, "[auth.jwt]\n")
    assert data["auth"][MODEL] == {"use": "apikey"}
    assert result.needs_key


def test_points_at_the_same_files_from_elsewhere(tmp_path: Path):
    (tmp_path / "key.txt").write_text("sk-not-a-secret")
    (tmp_path / "book.toml").write_text("")
    data, _ = derived(
        tmp_path,
        """
        [gateway.prices]
        book = "book.toml"
        [provider.openai]
        api_keys = [{ file = "key.txt" }, { env = "X" }]
        """,
    )
    assert data["provider"]["openai"]["api_keys"] == [{"file": str(tmp_path / "key.txt")}, {"env": "X"}]
    assert data["gateway"]["prices"]["book"] == str(tmp_path / "book.toml")


@pytest.mark.parametrize("value", ['a "b" \\ c', "é\u007f\n\t", "[x]"])
def test_writes_any_text(tmp_path: Path, value: str):
    file = tmp_path / "plugins.toml"
    config = Config.from_dict({"provider": {"mock": {"rules": [{"match": value, "n": 1.5, "yes": True}]}}})
    text = derive(config, database="sqlite:///x.db", upstream="http://127.0.0.1:1/v1").text
    file.write_text(text, encoding="utf-8")
    rules = tomllib.loads(file.read_text(encoding="utf-8"))["provider"]["mock"]["rules"]
    assert rules == [{"match": value, "n": 1.5, "yes": True}]
