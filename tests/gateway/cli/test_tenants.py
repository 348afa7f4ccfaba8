"""`gateway tenants` and `gateway users`, as typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main


class Typed:
    """Runs commands on a config of its own; the database is the copy of one with all tables."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "plugins.toml"
        self.config.write_text('[gateway.identity]\npublic_url = "https://ai.example"\n[auth.apikey]\n')

    def run(self, *arguments: str, code: int = 0, input: str | None = None) -> Result:
        result = CliRunner().invoke(
            main, ["-c", str(self.config), *arguments], input=input, catch_exceptions=False
        )
        assert result.exit_code == code, result.output
        return result

    def rows(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run(*arguments, "--json").stdout.splitlines()]


@pytest.fixture
def typed(tmp_path: Path, migrated: Path) -> Typed:
    (tmp_path / "gateway.db").write_bytes(migrated.read_bytes())
    return Typed(tmp_path)


def test_a_tenant_from_its_beginning_to_its_end(typed: Typed):
    assert "gateway tenants create" in typed.run("tenants", "list").stdout
    made = typed.rows("tenants", "create", "acme", "--model", "gpt-5", "--requests-per-minute", "10")[0]
    assert (made["models"], made["limits"]["requests_per_minute"]) == (["gpt-5"], 10)
    changed = typed.rows(
        "tenants", "set", "acme", "--all-models", "--requests-per-minute", "0", "--retention-days", "30"
    )[0]
    assert (changed["models"], changed["limits"], changed["retention_days"]) == (None, None, 30)
    typed.run("tenants", "suspend", "acme")
    assert "suspended" in typed.run("tenants", "list").stdout
    typed.run("tenants", "resume", "acme")
    assert typed.rows("tenants", "show", "acme")[0]["state"] == "active"
    output = typed.folder / "acme.jsonl"
    assert "objects in" in typed.run("tenants", "export", "acme", "-o", str(output)).stdout
    assert json.loads(output.read_text().splitlines()[0])["kind"] == "tenant"
    assert "Aborted" in typed.run("tenants", "erase", "acme", input="n\n", code=1).output
    typed.run("tenants", "erase", "acme", "--yes")
    assert typed.rows("tenants", "list")[0]["state"] == "erased"
    assert "is erased" in typed.run("tenants", "resume", "acme", code=1).stderr


def test_limits_that_nobody_holds_are_told(typed: Typed):
    made = typed.run("tenants", "create", "acme", "--concurrent", "2")
    assert "[middleware.ratelimit]" in made.stderr
    with typed.config.open("a") as config:
        config.write("[middleware.ratelimit]\n")
    assert "ratelimit" not in typed.run("tenants", "set", "acme", "--concurrent", "3").output


def test_other_limits_stay(typed: Typed):
    typed.run("tenants", "create", "acme", "--concurrent", "2", "--tokens-per-minute", "100")
    limits = typed.rows("tenants", "set", "acme", "--concurrent", "0")[0]["limits"]
    assert (limits["concurrent"], limits["tokens_per_minute"]) == (None, 100)


def test_an_export_of_nobody_leaves_no_file(typed: Typed):
    output = typed.folder / "nobody.jsonl"
    assert "no tenant" in typed.run("tenants", "export", "nobody", "-o", str(output), code=1).stderr
    assert not output.exists()


def test_users_from_the_first_to_the_last(typed: Typed):
    assert "gateway users owner-link" in typed.run("users", "list").stdout
    made = typed.rows("users", "owner-link")[0]
    assert made["link"].startswith("https://ai.example/sign-in/link?token=")
    assert typed.rows("users", "owner-link")[0]["user"] == made["user"]
    owner = typed.rows("users", "list", "--tenant", "default")[0]
    assert (owner["user"], owner["role"]) == (made["user"], "owner")
    assert typed.rows("users", "show", made["user"])[0]["roles"] == {"default": "owner"}
    for command in (["role", made["user"], "viewer"], ["remove", made["user"]], ["disable", made["user"]]):
        assert "last owner" in typed.run("users", *command, code=1).stderr
    assert "no role" in typed.run("users", "role", made["user"], "emperor", code=1).stderr
    assert "last owner" in typed.run("users", "erase", made["user"], "--yes", code=1).stderr
    assert "No user" in typed.run("users", "show", "nobody@a.example", code=1).stderr


def test_an_invitation_shows_its_link(typed: Typed):
    typed.run("tenants", "create", "acme")
    made = typed.rows("users", "invite", "--tenant", "acme", "--role", "admin", "--expires", "2d")[0]
    assert made["link"].startswith("https://ai.example/sign-in?invitation=gi_")
    assert made["role"] == "admin"
    assert "no tenant" in typed.run("users", "invite", "--tenant", "nobody", code=1).stderr
    assert "no role" in typed.run("users", "invite", "--tenant", "acme", "--role", "x", code=1).stderr
