"""`gateway credentials add` for credentials of several parts: from a pipe, and asked for at a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.vault.master import new_master_key

SECRET = "not-a-real-secret-0123456789"
PAIR = {"access_key_id": "AKIAFAKEFAKEFAKE1234", "secret_access_key": SECRET}
AZURE = ("--field", "tenant_id=a-tenant", "--field", "client_id=0f0f-not-real-client-id")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "master.key").write_text(new_master_key())
    path = tmp_path / "plugins.toml"
    path.write_text(
        '[gateway.vault]\nmaster_key = { file = "master.key" }\n'
        '[provider.bedrock]\nvault = true\nregion = "eu-central-1"\n'
        '[provider.azure]\nvault = true\nresource = "acme"\n'
    )
    return path


def run(config: Path, *arguments: str, code: int = 0, given: str = "") -> Result:
    command = ["-c", str(config), "credentials", *arguments]
    result = CliRunner().invoke(main, command, input=given, catch_exceptions=False)
    assert result.exit_code == code, result.output
    assert SECRET not in result.output
    return result


def test_several_parts_come_from_a_pipe(config: Path):
    added = run(config, "add", "bedrock", "--no-check", "--json", given=json.dumps(PAIR))
    assert [json.loads(added.stdout)[name] for name in ("kind", "hint")] == ["access_key", "AKI…1234"]
    run(config, "add", "bedrock", "--no-check", "--name", "key", given=f"{SECRET}\n")
    run(config, "add", "azure", "--no-check", "--name", "app", *AZURE, given=SECRET)
    listed = [json.loads(line) for line in run(config, "list", "--json").stdout.splitlines()]
    assert [row["kind"] for row in listed] == ["access_key", "api_key", "application"]
    with_token = {**PAIR, "session_token": SECRET}
    run(config, "replace", "default", "--no-check", given=json.dumps(with_token))
    assert "access_key" in run(config, "list").stdout


@pytest.mark.parametrize(
    ("arguments", "given", "words"),
    [
        (("--field", f"secret_access_key={SECRET}"), "", "others would see here"),
        (("--field", "nothing=x"), "", "NAME one of: api_key, access_key_id"),
        (("--kind", "nothing"), "", "takes api_key, access_key"),
        (("--kind", "access_key"), SECRET, "a JSON object with access_key_id, secret_access_key"),
        (("--kind", "api_key", "--field", "access_key_id=x"), "", "has all of access_key_id"),
    ],
)
def test_what_cannot_be_is_refused(config: Path, arguments: tuple[str, ...], given: str, words: str):
    refused = run(config, "add", "bedrock", "--no-check", *arguments, code=2, given=given)
    assert words in " ".join(refused.output.split())


def test_half_of_it_is_refused(config: Path):
    half = json.dumps({"access_key_id": "AKIAFAKEFAKEFAKE1234"})
    refused = run(config, "add", "bedrock", "--no-check", code=1, given=half)
    assert "takes api_key; or access_key_id with secret_access_key" in refused.output


def test_at_a_terminal_it_asks_and_does_not_echo_secrets(config: Path):
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "gateway",
        "-c",
        str(config),
        "credentials",
        "add",
        "bedrock",
        "--no-check",
    ]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    seen = b""

    def wait_for(words: bytes) -> None:
        nonlocal seen
        while words not in seen:
            seen += os.read(ours, 1024)

    try:
        for question, answer in (
            (b"Kind of credential", b"access_key"),
            (b"access key id", b"AKIAFAKEFAKEFAKE1234"),
            (b"secret access key", SECRET.encode()),
            (b"(if there is one)", b""),
        ):
            wait_for(question)
            os.write(ours, answer + b"\n")
        wait_for(b"Added")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"AKIAFAKEFAKEFAKE1234" in seen
    assert SECRET.encode() not in seen
