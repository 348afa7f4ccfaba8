"""What a newcomer types, and what a wrong config says."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable

import httpx2
import pytest

from .support.process import Deployment
from .support.raw import chat_body

Deploy = Callable[..., Deployment]

BAD = {
    "a plugin that does not exist": ("[provider.mokc]\n", "did you mean"),
    "an unknown key": ("[provider.mock]\nruels = []\n", "did you mean"),
    "an unknown table": ("[gatewya]\n[provider.mock]\n", "did you mean"),
    "broken TOML": ("[provider.mock\n", "plugins.toml:1"),
    "a wrong type": ('[gateway]\ndrain_seconds = "soon"\n[provider.mock]\n', "drain_seconds"),
    "an alias to nobody": ('[provider.mock]\n[models.fast]\ntargets = ["mok:echo"]\n', "did you mean"),
    "a database of an unknown kind": (
        '[gateway]\ndatabase = "mysql://x/y"\n[provider.mock]\n',
        "postgresql://",
    ),
    "not UTF-8": ("\udcff", "UTF-8"),
}


@pytest.mark.parametrize("command", ["serve", "check"])
@pytest.mark.parametrize(("config", "hint"), BAD.values(), ids=BAD.keys())
def test_a_bad_config_is_explained_with_exit_code_2(
    deploy: Deploy, command: str, config: str, hint: str
) -> None:
    deployed = deploy("", start=False)
    deployed.file.write_bytes(config.encode("utf-8", "surrogateescape"))
    done = deployed.command(command, code=2)
    assert hint in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_explained_with_exit_code_2(deploy: Deploy) -> None:
    deployed = deploy("[provider.mock]\n", start=False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for workers in ("1", "2"):
            done = deployed.command("serve", "--port", str(port), "--workers", workers, code=2)
            assert str(port) in done.stderr
            assert "taken by another program" in done.stderr
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["serve"], ["serve", "--workers", "2"], ["check", "--live"], ["keys", "list"], ["db", "upgrade"]],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "url",
    ["postgresql://me:pa55word@127.0.0.1:1/ledger", "sqlite:////no/such/folder/ledger.db"],
    ids=["pg", "sqlite"],
)
def test_a_database_that_is_away_is_named_without_its_password(
    deploy: Deploy, url: str, arguments: list[str]
) -> None:
    deployed = deploy(f'[gateway]\ndatabase = "{url}"\n[auth.apikey]\n[provider.mock]\n', start=False)
    if arguments[0] == "serve":
        arguments = [*arguments, "--port", str(deployed.port)]
    done = deployed.command(*arguments, code=None)
    assert done.returncode in {1, 2}
    assert url.replace(":pa55word", "") in done.stderr
    assert "pa55word" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_without_authentication_only_the_loopback_is_served(deploy: Deploy) -> None:
    deployed = deploy("[provider.mock]\n", start=False)
    for host in ("0.0.0.0", "::"):
        done = deployed.command("serve", "--host", host, "--port", str(deployed.port), code=2)
        assert "auth" in done.stderr


def test_no_config_at_all_says_how_to_get_one(deploy: Deploy) -> None:
    deployed = deploy("", start=False, tables=False)
    deployed.file.unlink()
    for command in (["serve"], ["check"], ["keys", "list"], ["calls"], ["db", "check"]):
        done = deployed.command(*command, code=None)
        assert done.returncode in {1, 2}, command
        assert "gateway init" in done.stderr, command
        assert "Traceback" not in done.stderr


def test_init_writes_a_config_that_runs_on_a_bare_machine(deploy: Deploy) -> None:
    deployed = deploy("", start=False, tables=False, cold=True)
    deployed.file.unlink()
    deployed.command("init")
    again = deployed.command("init", code=None)
    assert again.returncode != 0
    assert "--force" in again.stderr
    deployed.command("check")
    key = deployed.key()["key"]
    deployed.start()
    headers = {"authorization": f"Bearer {key}"}
    models = [m["id"] for m in httpx2.get(f"{deployed.url}/v1/models", headers=headers).json()["data"]]
    assert "fast" in models
    for model in ("fast", "mock/echo"):
        answer = httpx2.post(
            f"{deployed.url}/v1/chat/completions", content=chat_body(model=model), headers=headers
        )
        assert answer.status_code == 200, answer.text


def test_what_programs_read_is_json(deploy: Deploy) -> None:
    served = deploy("[auth.apikey]\n[provider.mock]\n")
    key = served.key("--tenant", "acme")
    assert {"id", "key"} <= set(key)
    httpx2.post(
        f"{served.url}/v1/chat/completions",
        content=chat_body(),
        headers={"authorization": f"Bearer {key['key']}", "x-client-request-id": "mine"},
    )
    row = served.call("mine")
    wanted = {
        "id",
        "request_id",
        "client_request_id",
        "tenant",
        "key",
        "model",
        "provider",
        "status",
        "prompt_tokens",
        "completion_tokens",
        "estimated",
        "cost",
        "error",
    }
    assert wanted <= set(row)
    assert row["tenant"] == "acme"
    assert row["key"] == key["id"]
    shown = json.loads(served.command("calls", "show", row["id"], "--json").stdout)
    assert shown["id"] == row["id"]
    assert json.loads(served.command("calls", "show", row["id"][:-3], "--json").stdout)["id"] == row["id"]
    assert json.loads(served.command("check", "--json").stdout) is not None
    assert json.loads(served.command("check", "--live", "--json").stdout) is not None
    assert json.loads(served.command("schema").stdout)["type"] == "object"
    for command in ("keys list", "plugins"):
        lines = served.command(*command.split(), "--json").stdout.splitlines()
        assert all(json.loads(line)["id"] for line in lines), command


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--help"],
        ["--version"],
        *(
            [name, "--help"]
            for name in ("serve", "check", "init", "plugins", "schema", "keys", "calls", "db", "new", "bench")
        ),
        ["keys", "create", "--help"],
        ["calls", "show", "--help"],
        ["db", "current"],
        ["db", "check"],
        ["db", "upgrade"],
        ["plugins"],
        ["calls"],
        ["keys", "list"],
    ],
    ids=" ".join,
)
def test_every_command_has_something_sensible_to_say(deploy: Deploy, arguments: list[str]) -> None:
    deployed = deploy("[auth.apikey]\n[provider.mock]\n", start=False, tables=False)
    done = deployed.command(*arguments, code=None, COLUMNS="60")
    assert "Traceback" not in done.stderr
    assert done.stdout + done.stderr
    assert done.returncode == 0 or arguments in ([], ["calls"], ["db", "check"])  # nothing there yet


@pytest.mark.parametrize(
    "arguments",
    [
        ["keys", "revoke", "nobody"],
        ["keys", "rotate", "nobody"],
        ["keys", "create"],
        ["calls", "show", "nothing"],
        ["calls", "--since", "yesterday-ish"],
        ["calls", "--status", "odd"],
        ["nonsense"],
        ["serve", "--port", "99999"],
        ["serve", "--port", "abc"],
        ["serve", "--workers", "0"],
        ["serve", "--host", "no.such.host.invalid"],
        ["new", "provider", "bad name!"],
        ["new", "nonsense", "acme"],
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_refused_in_words(deploy: Deploy, arguments: list[str]) -> None:
    deployed = deploy("[auth.apikey]\n[provider.mock]\n", start=False)
    done = deployed.command(*arguments, code=None)
    assert done.returncode in {1, 2}
    assert done.stderr
    assert "Traceback" not in done.stderr
