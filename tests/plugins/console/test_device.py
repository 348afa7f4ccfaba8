"""`gateway login`: the codes, the page on which a person decides, the tokens, and the commands themselves."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from click.testing import CliRunner, Result
from httpx2 import Client, Response

from gateway import Gateway
from gateway.cli import main
from gateway.identity.people import Client as From
from gateway.identity.people import Proof, Rules
from gateway.identity.sessions import Sessions
from gateway.store import Database
from gateway.store.changes import Changes

from ... import scratch

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
PATH = "/sign-in/device"


class Served:
    """A gateway on a real socket, and people who are signed in to it with browsers."""

    def __init__(self, url: str, cookies: dict[str, str]) -> None:
        self.url = url
        self._cookies = cookies

    def browser(self, name: str | None = None) -> Client:
        cookies = {"gateway_session": self._cookies[name]} if name else {}
        return Client(base_url=self.url, cookies=cookies, headers={"accept-language": "en"})

    def begin(self, **fields: str) -> dict[str, Any]:
        with self.browser() as program:
            answer = program.post(PATH, data={"client_id": "tests", **fields})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def token(self, **fields: str) -> Response:
        with self.browser() as program:
            return program.post("/sign-in/token", data=fields)

    def collect(self, codes: dict[str, Any]) -> Response:
        return self.token(grant_type=GRANT, device_code=codes["device_code"])

    def decide(self, name: str, codes: dict[str, Any], decision: str) -> Response:
        with self.browser(name) as browser:
            page = browser.get(PATH, params={"user_code": codes["user_code"]})
            csrf = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
            form = {
                "csrf_token": csrf[1] if csrf else "",
                "user_code": codes["user_code"],
                "decision": decision,
            }
            return browser.post(f"{PATH}/decide", data=form)


both = pytest.mark.parametrize("database_url", scratch.KINDS, indirect=True, scope="module")
"""For whole flows: they run on either database."""


@pytest.fixture(scope="module")
def database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    kind = getattr(request, "param", "sqlite")
    with scratch.database(kind, tmp_path_factory.mktemp("device")) as url:
        yield url


@pytest.fixture(scope="module")
def served(database_url: str) -> Iterator[Served]:
    with serving(database_url) as served:
        yield served


@contextmanager
def serving(database_url: str, failures_per_minute: int = 1000) -> Generator[Served]:
    async def people() -> dict[str, str]:
        database = Database(database_url)
        sessions = Sessions(database, Changes(database), Rules(sign_up="open"))
        made = [
            await sessions.sign_in(
                Proof(kind="oidc", subject=f"i {name}", label=name), method="oidc", client=From()
            )
            for name in ("alice", "mallory")
        ]
        await database.close()
        return {name: one.access for name, one in zip(("alice", "mallory"), made, strict=True)}

    cookies = asyncio.run(people())
    with socket.create_server(("127.0.0.1", 0)) as sock, pytest.MonkeyPatch.context() as patch:
        for module in ("gateway.identity.devices", "gateway_console.device"):
            patch.setattr(f"{module}.INTERVAL", 0.02)
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        gateway = Gateway.from_dict(
            {
                "gateway": {
                    "database": database_url,
                    "identity": {"public_url": url},
                    "failures_per_minute": failures_per_minute,
                },
                "service": {"console": {}},
                "auth": {"apikey": {}},
            }
        )
        server = uvicorn.Server(uvicorn.Config(gateway, log_level="error"))
        thread = threading.Thread(target=lambda: server.run([sock]))
        thread.start()
        yield Served(url, cookies)
        server.should_exit = True
        thread.join()


@both
def test_a_program_gets_a_session_once_a_person_has_agreed(served: Served):
    codes = served.begin()
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", codes["user_code"])
    assert codes["verification_uri"] == f"{served.url}{PATH}"
    assert codes["verification_uri_complete"].endswith(codes["user_code"])
    pending = served.collect(codes)
    assert (pending.status_code, pending.json()["error"]) == (400, "authorization_pending")
    assert "back to the terminal" in served.decide("alice", codes, "allow").text
    answer = served.collect(codes)
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert (tokens["token_type"], tokens["tenant"]) == ("Bearer", "default")
    with served.browser() as program:
        program.headers["authorization"] = f"Bearer {tokens['access_token']}"
        assert program.get("/admin/api/me").json()["name"] == "alice"
    assert served.collect(codes).json()["error"] == "expired_token", "a code gives one session"
    renewed = served.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"]).json()
    assert renewed["access_token"] != tokens["access_token"]


def test_a_person_may_refuse_and_a_code_is_decided_on_once(served: Served):
    codes = served.begin()
    assert "was refused" in served.decide("alice", codes, "deny").text
    for decision in ("allow", "deny"):
        assert served.decide("mallory", codes, decision).status_code in {403, 410}
    assert served.collect(codes).json()["error"] == "access_denied"


def test_the_page_says_who_asks_and_takes_codes_as_people_type_them(served: Served):
    codes = served.begin()
    typed = " " + codes["user_code"].lower().replace("-", " ")
    with served.browser("alice") as browser:
        page = browser.get(PATH, params={"user_code": typed})
        assert codes["user_code"] in page.text
        assert "127.0.0.1" in page.text
        assert browser.get(PATH).status_code == 200
        assert browser.get(PATH, params={"user_code": "BBBB-BBBB"}).status_code == 404
    with served.browser() as nobody:
        away = nobody.get(PATH, params={"user_code": codes["user_code"]})
        assert away.headers["location"].startswith("/sign-in?next=%2Fsign-in%2Fdevice")


def test_nobody_agrees_without_a_form_of_their_own(served: Served):
    codes = served.begin()
    form = {"user_code": codes["user_code"], "decision": "allow"}
    with served.browser("alice") as browser:
        for csrf in ({}, {"csrf_token": "x"}):
            assert browser.post(f"{PATH}/decide", data={**form, **csrf}).status_code == 403
    with served.browser() as nobody:
        assert nobody.post(f"{PATH}/decide", data=form).status_code in {303, 403}
    assert served.collect(codes).json()["error"] == "authorization_pending"


def test_a_tenant_must_be_one_of_the_persons(served: Served):
    assert served.decide("alice", served.begin(tenant="elsewhere"), "allow").status_code == 403
    codes = served.begin(tenant="default")
    served.decide("alice", codes, "allow")
    assert served.collect(codes).json()["tenant"] == "default"


def test_programs_that_ask_too_often_are_slowed_down(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gateway.identity.devices.INTERVAL", 600)
    codes = served.begin()
    assert [served.collect(codes).json()["error"] for _ in range(3)] == [
        "authorization_pending",
        "slow_down",
        "slow_down",
    ]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": GRANT}, "expired_token"),
        ({"grant_type": GRANT, "device_code": "guessed"}, "expired_token"),
        ({"grant_type": "refresh_token"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "gr_guessed"}, "invalid_grant"),
    ],
)
def test_the_token_endpoint_speaks_oauth(served: Served, fields: dict[str, str], error: str):
    answer = served.token(**fields)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def run(served: Served, home: Path, *arguments: str, code: int = 0) -> Result:
    env = {"XDG_CONFIG_HOME": str(home), "GATEWAY_URL": served.url}
    result = CliRunner().invoke(main, arguments, env=env, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def test_login_whoami_logout(served: Served, tmp_path: Path):
    assert "gateway login" in run(served, tmp_path, "whoami", code=1).output
    command = [sys.executable, "-m", "gateway", "login", "--url", served.url]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        env={"XDG_CONFIG_HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"},
    ) as login:
        assert login.stdout is not None
        code = next(found[1] for line in login.stdout if (found := re.search(r"Code: (\S+)", line)))
        served.decide("alice", {"user_code": code}, "allow")
        assert "Signed in as alice, for the tenant default." in login.stdout.read()
    (file,) = tmp_path.rglob("logins.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "alice at" in run(served, tmp_path, "whoami").output
    token = run(served, tmp_path, "whoami", "--token").output.strip()
    assert token.startswith("gs_")
    file.write_text(re.sub(r'"expires_at": [\d.]+', '"expires_at": 1', file.read_text()))
    assert run(served, tmp_path, "whoami", "--token").output.strip() != token, "it is refreshed where needed"
    assert json.loads(run(served, tmp_path, "whoami", "--json").output)["tenant"] == "default"
    file.write_text(re.sub(r'"access": "gs_\w+"', '"access": "gs_unknown"', file.read_text()))
    assert "alice at" in run(served, tmp_path, "whoami").output, "and where the gateway knows it no more"
    run(served, tmp_path, "logout")
    assert "gs_" not in file.read_text()
    assert "not signed in" in run(served, tmp_path, "whoami", code=1).output


@pytest.mark.parametrize(
    "url", ["http://gateway.example.com", "gateway.example.com", "ftp://x", "https://u:p@x", "http://["]
)
def test_addresses_that_would_give_the_session_away_are_refused(served: Served, tmp_path: Path, url: str):
    assert "--url" in run(served, tmp_path, "login", "--url", url, code=2).output


def test_a_gateway_that_is_not_there(served: Served, tmp_path: Path):
    assert "cannot be reached" in run(served, tmp_path, "login", "--url", "http://127.0.0.1:9", code=1).output


def test_nobody_tries_codes_without_end(tmp_path: Path):
    with (
        scratch.database("sqlite", tmp_path) as url,
        serving(url, failures_per_minute=30) as served,
        served.browser("mallory") as browser,
    ):
        codes = (f"BBBB-{number:04}" for number in itertools.count())
        while (status := browser.get(PATH, params={"user_code": next(codes)}).status_code) != 429:
            assert status == 404
