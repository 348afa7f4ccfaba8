"""A secret in every place of the config: no command, page, export, event or error of any dialect ever shows it."""

from __future__ import annotations

import base64
import json
import logging
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from click.testing import CliRunner

from gateway.cli import main
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.vault.master import new_master_key

from ..gateway.admin.people import People, signed_in
from .samples import BODIES, BOUNDARY, FORMS, form, request
from .served import Asked, Served, serving

CANARY = "canary-0123456789-of-"
JSON = {"content-type": "application/json"}
SAID = json.dumps(
    {"error": {"message": f"{CANARY}key is wrong", "type": f"{CANARY}key", "code": f"{CANARY}key"}}
)
WEBHOOK = "whsec_Y2FuYXJ5LW5vdC1hLXJlYWwtc2VjcmV0LTAx"
CONFIG = """
[gateway]
database = "sqlite:///{folder}/gateway.db"
[gateway.vault]
master_key = "{master_key}"
[middleware.metrics]
token = "{canary}metrics"
[sink.file]
path = "{folder}/events.jsonl"
[sink.webhook]
url = "{upstream}/usage"
secrets = ["{webhook}"]
[provider.openai]
base_url = "{upstream}/v1"
api_key = "{canary}key"
headers = {{ x-extra = "{canary}header" }}
[provider.bedrock]
region = "eu-central-1"
access_key_id = "{canary}id"
secret_access_key = "{canary}secret"
[provider.azure]
resource = "acme"
tenant_id = "a-tenant"
client_id = "a-client"
client_secret = "{canary}client"
[models.fast]
targets = ["openai:m"]
"""


@pytest.fixture(scope="module")
def upstream() -> FakeUpstream:
    return FakeUpstream()


@pytest.fixture(scope="module")
def master_key() -> str:
    return new_master_key()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("canary")


@pytest.fixture(scope="module")
def config(folder: Path, upstream: FakeUpstream, master_key: str) -> Iterator[Path]:
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(upstream):
        upstream.reply(Reply(status=400, headers=JSON, parts=[SAID.encode()]))
        path = folder / "plugins.toml"
        path.write_text(
            CONFIG.format(
                folder=folder, upstream=upstream.url, canary=CANARY, webhook=WEBHOOK, master_key=master_key
            )
        )
        yield path


@pytest.fixture(scope="module")
def served(config: Path) -> Iterator[Served]:
    settings: dict[str, Any] = {**tomllib.loads(config.read_text()), "auth": {"people": {}}}
    logger = logging.getLogger("gateway")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    with serving(settings, plugins=[People]) as served:
        yield served
    logger.setLevel(level)


def clean(text: str, master_key: str) -> None:
    for secret in (CANARY, WEBHOOK, master_key):
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] not in text


def ask(served: Served, asked: Asked, master_key: str) -> int:
    got = served.ask(asked)
    clean(got.body.decode("utf-8", "replace") + repr(got.headers), master_key)
    return got.status


@pytest.mark.parametrize("status", [400, 401, 500])
def test_no_dialect_shows_it_in_an_error(
    served: Served, upstream: FakeUpstream, master_key: str, status: int
) -> None:
    upstream._replies.clear()
    upstream.reply(Reply(status=status, headers=JSON, parts=[SAID.encode()]))
    who, tried = signed_in("default", "usr_ann", "member"), 0
    for path in BODIES:
        where, body = request(path, "openai/m")
        tried += ask(served, Asked(path=where, headers={**JSON, **who}, body=body), master_key) >= 400
    for path in FORMS:
        headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}", **who}
        tried += (
            ask(served, Asked(path=path, headers=headers, body=form(path, "openai/m")), master_key) >= 400
        )
    assert tried > len(BODIES)


def test_no_page_and_no_export_shows_it(served: Served, master_key: str) -> None:
    for path in (
        "/admin/api/gateway/config",
        "/admin/api/gateway/plugins",
        "/admin/api/gateway/providers",
        "/admin/api/gateway/models",
        "/admin/api/gateway/audit",
        "/admin/api/audit",
        "/admin/api/calls",
        "/admin/api/calls/export",
        "/admin/api/usage",
        "/admin/api/models",
        "/admin/api/openapi.json",
        "/openapi.json",
        "/healthz",
    ):
        assert ask(served, Asked(method="GET", path=path, headers=signed_in()), master_key) == 200, path
    token = {"authorization": f"Bearer {CANARY}metrics"}
    assert ask(served, Asked(method="GET", path="/metrics", headers=token), master_key) == 200
    assert ask(served, Asked(method="GET", path="/metrics"), master_key) == 401
    made = served.ask(
        Asked(
            path="/admin/api/tenants", headers={**JSON, **signed_in()}, body=b'{"id": "acme", "name": "Acme"}'
        )
    )
    assert made.status == 201, made.body
    for path in ("/admin/api/tenants/acme/export",):
        assert ask(served, Asked(method="GET", path=path, headers=signed_in()), master_key) == 200, path


def test_no_event_shows_it(served: Served, upstream: FakeUpstream, folder: Path, master_key: str) -> None:
    upstream._replies.clear()
    upstream.reply(Reply(status=400, headers=JSON, parts=[SAID.encode()]))
    where, body = request("/v1/chat/completions", "openai/m")
    served.ask(Asked(path=where, headers={**JSON, **signed_in()}, body=body))
    written, deadline = folder / "events.jsonl", time.monotonic() + 30
    while not written.exists() or "failed" not in written.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    clean(written.read_text(), master_key)
    upstream.reply(Reply())
    while not (sent := [one for one in upstream.requests if one.path == "/usage"]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for one in sent:
        clean(one.body.decode() + repr(one.headers), master_key)


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("plugins",),
        ("plugins", "--json"),
        ("schema",),
        ("models", "names", "--json"),
        ("models", "check"),
        ("vault", "status"),
        ("db", "check"),
        ("events", "status"),
    ],
    ids=" ".join,
)
def test_no_command_shows_it(config: Path, master_key: str, arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, ["-c", str(config), *arguments])
    assert result.exit_code in {0, 1}, result.output
    assert result.output
    clean(result.output, master_key)


def test_a_config_that_is_wrong_is_told_without_it(config: Path, folder: Path, master_key: str) -> None:
    wrong = folder / "wrong.toml"
    for before, after in (
        ("region = ", "regoin = "),
        ('x-extra = "', 'x-extra = 7, y = "'),
        ("master_key = ", "master_keys = "),
        ('client_secret = "', 'client_secret = 7 # "'),
        ("[models.fast]", "[models.fast"),
    ):
        wrong.write_text(config.read_text().replace(before, after))
        result = CliRunner().invoke(main, ["-c", str(wrong), "check"])
        assert result.exit_code != 0, before
        clean(result.output, master_key)


def test_no_log_line_shows_it(served: Served, upstream: FakeUpstream, master_key: str) -> None:
    """Runs last."""
    upstream._replies.clear()
    upstream.reply(Reply(headers=JSON, parts=[SAID.encode()[:-5]], ending="cut"))
    where, body = request("/v1/chat/completions", "openai/m")
    served.ask(Asked(path=where, headers={**JSON, **signed_in()}, body=body))
    assert served.log.lines
    clean("\n".join(served.log.lines), master_key)
