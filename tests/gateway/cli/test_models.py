"""`gateway models`: what is listed, shown and found wrong."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.store import Database
from gateway.store.audit import Actor
from gateway.store.migrate import upgrade
from gateway.store.model_routes import add_route

BOOK = """
version = "test"
[acme.big]
kind = "chat"
can = ["tools", "vision", "streaming"]
context = 200_000
max_output = 20_000
released = 2025-01-01
knowledge = "2024-11"
price = [
  { from = 2025-01-01, input = 10, output = 20 },
  { from = 2026-01-01, input = 1, output = 2.5, cached_read = 0.1, long = { above = 100, input = 3, output = 4, cached_read = 1 } },
]
[acme.small]
kind = "chat"
can = ["tools", "streaming"]
price = { input = 1, output = 2 }
[acme.free]
kind = "chat"
can = ["tools", "vision"]
[acme.gone]
kind = "chat"
can = ["tools", "vision"]
retires = 2026-01-01
price = { input = 1, output = 2 }
[acme.vectors]
kind = "embedding"
price = { input = 1, output = 0 }
[acme.painter]
kind = "image"
price = { image = 0.04 }
"""
CONFIG = """
[gateway]
database = "sqlite:///test.db"
prices = { book = "book.toml" }
[provider.acme]
use = "openai"
base_url = "http://127.0.0.1:1"
api_key = "not-a-real-key"
[provider.mock]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)


def write(more: str = "") -> None:
    Path("book.toml").write_text(BOOK)
    Path("plugins.toml").write_text(CONFIG + more)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["models", *arguments])


def records(*arguments: str) -> list[dict[str, Any]]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.output.splitlines()]


def names(*arguments: str) -> list[str]:
    return [record["name"] for record in records("list", *arguments)]


def test_the_models_of_enabled_providers_are_listed():
    write()
    listed = names()
    assert listed[:3] == ["acme/big", "acme/small", "acme/free"]
    assert {name.partition("/")[0] for name in listed} == {"acme", "mock"}
    assert names("--provider", "acme", "--kind", "embedding") == ["acme/vectors"]
    assert names("--capability", "vision", "--capability", "tools") == ["acme/big", "acme/free", "acme/gone"]
    assert "claude-haiku-4-5" in {name.partition("/")[2] for name in names("--provider", "anthropic")}
    assert len(names("--all")) > 900


def test_without_a_config_everything_is_listed_on_demand():
    assert "gateway models list --all" in run("list").output
    assert "openai/gpt-5-mini" in names("--all")
    assert [record["name"] for record in records("show", "gpt-5-mini")] != []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["list", "--kind", "chatt"], "'chatt' is not known; known are chat"),
        (["list", "--capability", "magic"], "'magic' is not known; known are tools"),
        (["list", "--provider", "nobody"], "no provider 'nobody' is known"),
        (["show", "gpt-5-minni"], "Nothing is known of 'gpt-5-minni', did you mean 'gpt-5-mini'?"),
        (["show", "openai/nothing"], "Nothing is known of 'openai/nothing'"),
    ],
)
def test_wrong_names_are_answered_with_the_right_ones(arguments: list[str], problem: str):
    write()
    result = run(*arguments)
    assert result.exit_code != 0
    assert problem in result.output


@pytest.mark.parametrize("width", [40, 80, 100, 120, 200])
def test_the_table_fits_and_names_stay_whole(width: int, monkeypatch: pytest.MonkeyPatch):
    write()
    monkeypatch.setenv("COLUMNS", str(width))
    lines = run("list", "--provider", "acme").output.splitlines()
    assert max(map(len, lines)) <= width
    assert [line.split()[0] for line in lines] == [
        "model",
        *(f"acme/{name}" for name in ("big", "small", "free", "gone", "vectors", "painter")),
    ]
    if width >= 80:
        assert "1 / 2.5" in lines[1]
        assert lines[3].rstrip().endswith("no price")
        assert lines[4].rstrip().endswith("retired 2026-01-01")
        assert "0.04 per image" in lines[6]
    if width >= 120:
        assert "tools vision" in lines[1]
        assert "200k" in lines[1]


def test_all_that_is_known_is_shown():
    write()
    output = run("show", "acme/big").output
    for text in (
        "200,000 tokens",
        "at most 20,000 tokens",
        "2025-01-01",
        "up to 2024-11",
        "from 2025-01-01 until 2026-01-01: 10 input, 20 output",
        "from 2026-01-01: 1 input, 2.5 output, 0.1 cached read",
    ):
        assert text in output
    assert "above 100 tokens: 3 input" in " ".join(output.split())
    (record,) = records("show", "big")
    assert (record["name"], record["context_window"], record["price"]["output"]) == ("acme/big", 200_000, 2.5)
    assert record["price"]["long"] == {"above": 100, "input": 3.0, "output": 4.0, "cached_read": 1.0}
    assert [price["from"] for price in record["prices"]] == ["2026-01-01", "2025-01-01"]


def test_a_name_of_the_config_shows_its_targets():
    write('[models.fast]\ntargets = ["acme:small", "mock:echo", "acme:nobody"]')
    assert [record["name"] for record in records("show", "fast")] == ["acme/small", "mock/echo"]


def stored(name: str, *targets: str, enabled: bool = True) -> None:
    """Make a name, as the admin API does."""

    async def write() -> None:
        database = Database("sqlite:///test.db")
        await upgrade(database)
        tables = [{"to": target} for target in targets]
        await add_route(
            database,
            name,
            targets=tables,
            policy="priority",
            enabled=enabled,
            actor=Actor(kind="command", id="t"),
        )
        await database.close()

    asyncio.run(write())


def sources(name: str) -> list[tuple[str, str, bool, bool]]:
    found = records("show", name)
    return [(one["name"], one["source"], one["in_config"], one["enabled"]) for one in found]


def test_what_the_admin_api_has_made_is_shown_with_where_it_is_from():
    write(
        '[models.fast]\ntargets = ["acme:small"]\n[models.slow]\ntargets = ["acme:big"]\n[models.off]\ntargets = ["acme:big"]'
    )
    stored("fast", "acme:big", "acme:gone")
    stored("new", "acme:small", "acme:big")
    stored("off", enabled=False)
    stored("acme/gone", enabled=False)
    assert sources("fast") == [("acme/big", "api", True, True), ("acme/gone", "api", True, False)]
    assert sources("new") == [("acme/small", "api", False, True), ("acme/big", "api", False, True)]
    assert sources("slow") == [("acme/big", "config", True, True)]
    assert sources("off") == [("acme/big", "api", True, False)]
    assert sources("acme/gone") == [("acme/gone", "provider", False, False)]
    assert sources("acme/big") == sources("big") == [("acme/big", "provider", False, True)]
    assert {source for _, source, _, _ in sources("claude-haiku-4-5")} == {"catalogue"}
    for name, words in (
        (
            "fast",
            "fast: made over the admin API, in place of the one in the config; leads to acme:big, acme:gone",
        ),
        ("slow", "slow: from the config; leads to acme:big"),
        (
            "off",
            "off: made over the admin API, and leads where the config says; disabled, so nobody may call it",
        ),
        ("acme/gone", "acme/gone: disabled over the admin API"),
    ):
        assert words in run("show", name).output
    assert "did you mean 'new'" in run("show", "newe").output


def test_what_is_known_is_shown_without_a_database():
    write('[models.fast]\ntargets = ["acme:small"]')
    config = Path("plugins.toml")
    config.write_text(config.read_text().replace("sqlite:///test.db", "postgresql://127.0.0.1:1/nothing"))
    result = run("show", "fast")
    assert result.exit_code == 0
    assert "fast: from the config" in result.output
    assert "names of the admin API are not among these" in result.output
    config.write_text(CONFIG + '[models.fast]\ntargets = ["acme:small"]')
    assert run("show", "fast").exit_code == 0
    assert not Path("test.db").exists(), "looking makes no database"


def test_targets_that_fit_are_fine():
    write('[models.fast]\ntargets = ["acme:small", "acme:big", "mock:echo"]')
    result = run("check")
    assert (result.exit_code, result.output) == (0, "the targets of 1 name are fine\n")


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        (["acme:gone"], "acme:gone: retired on 2026-01-01"),
        (["acme:free"], "acme:free: no price is known"),
        (["acme:bug"], "acme:bug: nothing is known of this model, not even its price, did you mean 'big'?"),
        (["acme:big", "acme:small"], "acme:small cannot do what acme:big can: vision"),
        (["acme:big", "acme:vectors"], "acme:vectors is for embedding, but acme:big for chat"),
    ],
)
def test_targets_that_do_not_fit_are_told(targets: list[str], problem: str):
    write(f"[models.fast]\ntargets = {json.dumps(targets)}")
    result = run("check", "--json")
    assert result.exit_code == 1
    assert json.loads(result.output) == {
        "ok": False,
        "problems": [f"[models.fast] {problem}"],
        "differences": [],
    }
    assert problem in run("check").output


class Service(BaseHTTPRequestHandler):
    """Lists two models of acme's."""

    status = 200

    def do_GET(self) -> None:
        body = b'{"data": [{"id": "big-2026-02-02"}, {"id": "small"}, {"id": "brand-new"}]}'
        self.send_response(self.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_providers_are_asked_what_they_have(service: str):
    write('[models.fast]\ntargets = ["acme:small", "acme:painter"]\n[models.slow]\ntargets = ["acme:small"]')
    config = Path("plugins.toml")
    config.write_text(config.read_text().replace("http://127.0.0.1:1", service))
    told = json.loads(run("check", "--live", "--json").output)
    assert told["differences"] == [
        {"provider": "acme", "new": ["brand-new"], "gone": ["free", "painter", "vectors"]}
    ]
    assert "[models.fast] acme:painter: acme does not list this model" in told["problems"]
    assert not any("slow" in problem for problem in told["problems"])
    output = run("check", "--live").output
    assert "new at acme: brand-new" in output
    assert "gone at acme: free, painter, vectors" in output


def test_a_provider_that_does_not_answer_is_a_problem():
    write()
    result = run("check", "--live", "--json")
    assert result.exit_code == 1
    (problem,) = json.loads(result.output)["problems"]
    assert problem.startswith("[provider.acme] ")
