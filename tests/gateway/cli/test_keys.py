"""`gateway keys`, as typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main


class Keys:
    """Runs `gateway keys …` on a config of its own, whose database does not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "plugins.toml"
        self.config.write_text("[auth.apikey]\n")

    def run(self, *arguments: str, code: int = 0, **env: str) -> Result:
        result = CliRunner().invoke(
            main, ["-c", str(self.config), "keys", *arguments], env=env, catch_exceptions=False
        )
        assert result.exit_code == code, result.output
        return result

    def create(self, name: str, *options: str) -> dict[str, Any]:
        return json.loads(self.run("create", "--name", name, "--json", *options).stdout)

    def list(self, *options: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("list", "--json", *options).stdout.splitlines()]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


def test_where_nobody_asks_for_keys_a_new_one_comes_with_a_word_of_it(keys: Keys):
    assert keys.run("create", "--name", "laptop").stderr == ""
    keys.config.write_text("[provider.mock]\n")
    made = keys.run("create", "--name", "laptop", "--json")
    assert json.loads(made.stdout)["name"] == "laptop"
    assert made.stderr == f"Keys count for nothing until {keys.config} has a table [auth.apikey].\n"


def test_create_shows_the_key_once(keys: Keys):
    output = keys.run("create", "--name", "laptop").stdout
    key = next(line.strip() for line in output.splitlines() if line.startswith("  gw_"))
    assert f"export OPENAI_API_KEY={key}" in output
    assert key not in keys.run("list").stdout
    assert key not in keys.run("list", "--json").stdout


def test_create_prints_json_for_programs(keys: Keys):
    made = keys.create(
        "ci", "--tenant", "acme", "--model", "gpt-5", "--model", "openai/*", "--expires", "2100-01-01"
    )
    assert made["id"].startswith("key_")
    assert made["key"].startswith("gw_")
    assert made["tenant"] == "acme"
    assert made["models"] == ["gpt-5", "openai/*"]
    assert made["expires_at"] == "2100-01-01T00:00:00Z"
    assert made["state"] == "active"


def test_list_says_how_to_begin(keys: Keys):
    assert "gateway keys create" in keys.run("list").stdout
    assert keys.list() == []


def test_list_shows_one_tenant_when_asked(keys: Keys):
    keys.create("ours")
    theirs = keys.create("theirs", "--tenant", "acme")
    assert [key["id"] for key in keys.list("--tenant", "acme")] == [theirs["id"]]
    assert "The tenant 'acne' has no API keys." in keys.run("list", "--tenant", "acne").stdout


def test_list_shows_revoked_keys_when_asked(keys: Keys):
    first, second = keys.create("first"), keys.create("second")
    assert first["id"] in keys.run("revoke", first["id"][:12]).stdout
    assert [key["name"] for key in keys.list()] == ["second"]
    states = {key["id"]: key["state"] for key in keys.list("--all")}
    assert states == {first["id"]: "revoked", second["id"]: "active"}
    table = keys.run("list", "--all").stdout
    assert "revoked" in table
    assert first["id"] in table


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_table_never_cuts_an_id(keys: Keys, columns: int):
    made = keys.create("a rather long name for a key", "--tenant", "acme", "--model", "openai/*")
    table = keys.run("list", COLUMNS=str(columns)).stdout
    assert made["id"] in table
    assert all(len(line.rstrip()) <= columns for line in table.splitlines())


def test_rotate_prints_the_new_key(keys: Keys):
    old = keys.create("ci")
    new = json.loads(keys.run("rotate", "ci", "--overlap", "10m", "--json").stdout)
    assert new["key"] != old["key"]
    assert new["name"] == "ci"
    assert {key["id"]: key["expires_at"] is None for key in keys.list()} == {
        old["id"]: False,
        new["id"]: True,
    }


RIGHTS = (
    *("--scope", "calls.make", "--scope", "usage.read", "--model", "m", "--endpoint", "/v1/chat/*"),
    *(
        "--network",
        "10.0.0.0/8",
        "--requests-per-minute",
        "60",
        "--concurrent",
        "2",
        "--budget",
        "12.50 EUR/week",
    ),
)


def test_a_key_is_created_with_rights_shown_changed_and_rotated(keys: Keys):
    made = keys.create("ci", *RIGHTS)
    expected = {
        "scopes": ["calls.make", "usage.read"],
        "models": ["m"],
        "endpoints": ["/v1/chat/*"],
        "networks": ["10.0.0.0/8"],
        "limits": {"requests_per_minute": 60, "tokens_per_minute": None, "concurrent": 2},
        "budget": {"amount": "12.50", "currency": "EUR", "period": "week"},
    }
    assert {name: made[name] for name in expected} == expected
    shown = keys.run("show", "ci").stdout
    assert "requests per minute 60" in shown.replace("_", " ")
    assert made["key"] not in shown
    changes = ("--name", "build", "--tokens-per-minute", "9", "--model", "n", "--clear", "networks", "--json")
    changed = json.loads(keys.run("update", "ci", *changes).stdout)
    expected |= {"models": ["n"], "networks": None}
    expected["limits"] = {"requests_per_minute": 60, "tokens_per_minute": 9, "concurrent": 2}
    assert changed["name"] == "build"
    assert {name: changed[name] for name in expected} == expected
    rotated = json.loads(keys.run("rotate", "build", "--json").stdout)
    assert {name: rotated[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("options", "words", "code"),
    [
        (("--scope", "calls.mak"), "no permission 'calls.mak'", 1),
        (("--endpoint", "v1"), "is no path", 1),
        (("--network", "10.0.0.1/8"), "no network", 1),
        (("--budget", "much"), "is no budget", 2),
        (("--concurrent", "0"), "--concurrent", 2),
        (("--owner", "usr_x"), "no member and no service account", 1),
    ],
)
def test_rights_that_cannot_be(keys: Keys, options: tuple[str, ...], words: str, code: int):
    assert words in keys.run("create", "--name", "a", *options, code=code).stderr
    assert keys.list("--all") == []


def test_an_update_of_nothing_is_a_usage_error(keys: Keys):
    keys.create("a")
    assert "Name something to change" in keys.run("update", "a", code=2).stderr


def test_ensure_creates_once(keys: Keys):
    assert "  gw_" in keys.run("ensure", "--name", "quickstart").stdout
    again = keys.run("ensure", "--name", "quickstart").stdout
    assert "gw_" in again
    assert "  gw_" not in again
    assert "gateway keys rotate key_" in again
    assert len(keys.list()) == 1


def test_an_unknown_key_is_one_line_on_stderr(keys: Keys):
    result = keys.run("revoke", "nothing", code=1)
    assert result.stdout == ""
    assert (
        result.stderr
        == "gateway: no API key has the id or the name 'nothing'; see `gateway keys list --all`\n"
    )


def test_a_wrong_time_is_a_usage_error(keys: Keys):
    assert "not a time" in keys.run("create", "--name", "a", "--expires", "soon", code=2).stderr
    assert "in the past" in keys.run("create", "--name", "a", "--expires", "2001-01-01", code=2).stderr
    assert "not a duration" in keys.run("rotate", "a", "--overlap", "soon", code=2).stderr
    assert keys.list("--all") == []
