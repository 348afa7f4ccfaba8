"""`gateway vault` and `gateway credentials`, as typed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.vault.master import new_master_key

SECRET = "sk-fake-0123456789-abcdefghij"


class Terminal:
    """Runs `gateway …` on a config of its own."""

    def __init__(self, folder: Path) -> None:
        self.config = folder / "plugins.toml"
        self.folder = folder
        self.keys(new_master_key())

    def keys(self, *keys: str) -> None:
        names: list[str] = []
        for number, key in enumerate(keys):
            (self.folder / f"{number}.key").write_text(key)
            names.append(f'{{ file = "{number}.key" }}')
        vault = f"[gateway.vault]\nmaster_key = {names[0]}\nprevious_keys = [{', '.join(names[1:])}]\n"
        providers = '[provider.openai]\nvault = true\nbase_url = "http://127.0.0.1:9/v1"\n'
        self.config.write_text((vault if keys[0] else "") + providers)

    def run(self, *arguments: str, code: int = 0, given: str = "") -> Result:
        result = CliRunner().invoke(
            main, ["-c", str(self.config), *arguments], input=given, catch_exceptions=False
        )
        assert result.exit_code == code, result.output
        assert SECRET not in result.output
        return result

    def add(self, *options: str) -> dict[str, Any]:
        given = f"{SECRET}\n"
        return json.loads(
            self.run("credentials", "add", "openai", "--no-check", "--json", *options, given=given).stdout
        )

    def list(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run("credentials", "list", "--json").stdout.splitlines()]


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_a_credential_from_beginning_to_end(terminal: Terminal):
    assert "gateway credentials add" in terminal.run("credentials", "list").stdout
    made = terminal.add("--name", "main", "--weight", "2")
    assert (made["state"], made["hint"], made["weight"]) == ("untried", "sk-…ghij", 2)
    assert terminal.list() == [made]
    assert "could not be reached" in terminal.run("credentials", "check", code=1).output
    assert "failing" in terminal.run("credentials", "list").stdout
    terminal.run("credentials", "weight", "main", "7")
    terminal.run("credentials", "disable", made["id"][:8])
    assert [terminal.list()[0][name] for name in ("weight", "state")] == [7, "disabled"]
    terminal.run("credentials", "enable", made["id"])
    terminal.run("credentials", "replace", "main", "--no-check", given="sk-other-0123456789-wxyz\n")
    assert [terminal.list()[0][name] for name in ("hint", "state")] == ["sk-…wxyz", "untried"]
    terminal.run("credentials", "remove", "main")
    assert terminal.list() == []


def test_what_fails_is_not_stored_unless_told_so(terminal: Terminal):
    refused = terminal.run("credentials", "add", "openai", code=1, given=f"{SECRET}\n")
    assert "not stored" in refused.output
    assert "--no-check" in refused.output
    unknown = terminal.run("credentials", "add", "opnai", code=1, given=f"{SECRET}\n")
    assert "there are: openai" in unknown.output
    nobody = terminal.run("credentials", "add", "openai", "--tenant", "nobody", code=1, given=SECRET)
    assert "nobody" in nobody.output
    assert terminal.list() == []
    assert "fits: none" in terminal.run("credentials", "enable", "nothing", code=1).output


def test_without_a_master_key_it_says_how_to_get_one(terminal: Terminal):
    terminal.keys("")
    refused = terminal.run("credentials", "add", "openai", "--no-check", code=1, given=SECRET)
    assert "gateway vault init" in refused.output
    assert "gateway vault init" in terminal.run("vault", "status").output


def test_the_master_key_rotates(terminal: Terminal):
    terminal.add()
    old, new = (
        (terminal.folder / "0.key").read_text(),
        json.loads(terminal.run("vault", "init", "--json").stdout)["master_key"],
    )
    terminal.keys(new)
    assert "previous_keys" in terminal.run("vault", "rotate", code=1).output
    terminal.keys(new, old)
    assert json.loads(terminal.run("vault", "rotate", "--json").stdout)["done"] == 1
    keys = json.loads(terminal.run("vault", "status", "--json").stdout)["keys"]
    assert [(key["seals"], key["credentials"]) for key in keys] == [(True, 1), (False, 0)]
    terminal.keys(new)
    assert "seals  1 credential" in terminal.run("vault", "status").stdout
