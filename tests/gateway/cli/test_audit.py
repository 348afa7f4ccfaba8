"""`gateway audit`, as typed."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A gateway in which two keys were made and one was revoked."""
    config = tmp_path / "plugins.toml"
    config.write_text("[auth.apikey]\n")
    for arguments in (("create", "--name", "first"), ("create", "--name", "second", "--tenant", "acme")):
        run(config, "keys", *arguments)
    run(config, "keys", "revoke", "first")
    return config


def run(config: Path, *arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["-c", str(config), *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def listed(config: Path, *options: str) -> list[dict[str, Any]]:
    lines = run(config, "audit", "list", "--json", *options).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_what_was_done_is_listed(config: Path):
    entries = listed(config, "--action", "key.*")
    assert [entry["action"] for entry in entries] == ["key.revoke", "key.create", "key.create"]
    assert {entry["actor_kind"] for entry in entries} == {"command"}
    assert all(entry["actor"] for entry in entries)
    assert entries[1]["after"]["name"] == "second"
    assert [entry["action"] for entry in listed(config, "--tenant", "acme")] == ["key.create"]
    assert listed(config, "--object", entries[0]["object"], "--limit", "1") == [entries[0]]
    table = run(config, "audit", "list").stdout
    assert "key.revoke" in table


def test_the_chain_is_verified_and_a_change_named(config: Path):
    good = json.loads(run(config, "audit", "verify", "--json").stdout)
    assert good["ok"]
    assert good["head"] in run(config, "audit", "verify", "--expect", good["head"]).stdout
    assert "no entry has" in run(config, "audit", "verify", "--expect", "00" * 31 + "01", code=1).stderr
    assert "64 hexadecimal" in run(config, "audit", "verify", "--expect", "beef", code=2).stderr
    with closing(sqlite3.connect(config.with_name("gateway.db"), isolation_level=None)) as database:
        database.execute("DROP TRIGGER audit_log_no_update")
        database.execute("UPDATE audit_log SET actor = 'nobody' WHERE position = 2")
    assert run(config, "audit", "verify", code=1).stderr == (
        "gateway: the audit log is broken: entry 2 was changed\n"
    )
    bad = json.loads(run(config, "audit", "verify", "--json", code=1).stdout)
    assert (bad["ok"], bad["entries"]) == (False, 1)


def test_an_export_can_be_verified_by_others(config: Path, tmp_path: Path):
    file = tmp_path / "audit.jsonl"
    run(config, "audit", "export", "-o", str(file))
    last = bytes(32)
    for line in file.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        assert bytes.fromhex(entry.pop("previous")) == last
        found = bytes.fromhex(entry.pop("hash"))
        plain = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        last = hashlib.sha256(last + plain).digest()
        assert last == found
    assert last.hex() == json.loads(run(config, "audit", "verify", "--json").stdout)["head"]
