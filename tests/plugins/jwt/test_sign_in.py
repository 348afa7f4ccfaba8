"""Sign-in with a browser through an issuer, and everything that must not end in a session."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from httpx2 import AsyncClient, Response

from gateway.app import Gateway
from gateway.identity import Actor
from gateway.identity.people import Client

from ... import scratch
from .authority import Person
from .oidc import CLIENT, SECRET, Provider

START = "/sign-in/oidc/corp"
CALLBACK = f"http://localhost:8080{START}/callback"


class Browser:
    """A browser: it keeps cookies, and goes where it is led when told to."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway.client
        self.outside = AsyncClient()

    async def close(self) -> None:
        await self.gateway.aclose()
        await self.outside.aclose()

    async def begin(self, **query: str) -> str:
        """Press the button; return the URL at the issuer."""
        answer = await self.gateway.get(START, params=query)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def issuer(self, url: str) -> dict[str, str]:
        """Sign in there; return what the redirect back carries."""
        answer = await self.outside.get(url)
        assert answer.status_code == 302, answer.text
        assert answer.headers["location"].startswith(CALLBACK + "?")
        return {
            name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()
        }

    async def back(self, query: dict[str, str]) -> Response:
        """Follow the redirect back."""
        return await self.gateway.get(f"{START}/callback", params=query)

    async def sign_in(self, **query: str) -> Response:
        """All of it."""
        return await self.back(await self.issuer(await self.begin(**query)))

    async def me(self) -> dict[str, Any] | None:
        """Who is signed in."""
        answer = await self.gateway.get("/admin/api/me")
        return answer.json() if answer.status_code == 200 else None


both = pytest.mark.parametrize("url", scratch.KINDS, indirect=True)
"""For whole flows: they run on either database."""


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with scratch.database(getattr(request, "param", "sqlite"), tmp_path) as url:
        yield url


@pytest.fixture
async def gateway(issuer: Provider, url: str) -> AsyncGenerator[Gateway]:
    issuer.register(CALLBACK)
    corp = {"issuer": issuer.url, "client_id": CLIENT, "client_secret": SECRET, "title": "Corp SSO"}
    gateway = Gateway.from_dict(
        {
            "gateway": {"database": url, "identity": {"sign_up": "open"}},
            "auth": {"jwt": {"issuers": {"corp": corp}}},
        }
    )
    async with gateway.lifespan():
        yield gateway


@pytest.fixture
async def browser(gateway: Gateway) -> AsyncGenerator[Browser]:
    browser = Browser(gateway)
    yield browser
    await browser.close()


@pytest.fixture
async def other(gateway: Gateway) -> AsyncGenerator[Browser]:
    browser = Browser(gateway)
    yield browser
    await browser.close()


@both
async def test_somebody_signs_in_and_comes_back_as_the_same_person(browser: Browser, other: Browser):
    answer = await browser.sign_in(next="/account/keys?new=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/account/keys?new=1"
    me = await browser.me()
    assert me is not None
    assert (me["name"], me["email"], me["tenant"], me["roles"]) == (
        "Alice Example",
        "alice@example.com",
        "default",
        ["member"],
    )
    await other.sign_in()
    again = await other.me()
    assert again is not None
    assert again["user"] == me["user"]
    assert again["session"] != me["session"]


async def test_the_request_holds_pkce_state_and_nonce_and_no_secret(browser: Browser, issuer: Provider):
    url = await browser.begin()
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    assert query["response_type"] == "code"
    assert query["redirect_uri"] == CALLBACK
    assert query["code_challenge_method"] == "S256"
    assert all(len(query[name]) >= 43 for name in ("state", "nonce", "code_challenge"))
    assert SECRET not in url
    assert query["state"] != parse_qs(urlsplit(await browser.begin()).query)["state"][0]


async def test_only_the_browser_that_began_can_end_it(browser: Browser, other: Browser):
    """Login CSRF: an attacker's answer in a victim's browser signs nobody in."""
    stolen = await browser.issuer(await browser.begin())
    for query in (stolen, {**stolen, "state": ""}, {"code": stolen["code"]}, {**stolen, "state": "x"}):
        assert (await other.back(query)).status_code == 400
    await other.begin()
    assert (await other.back(stolen)).status_code == 400
    assert await other.me() is None
    assert (await browser.back(stolen)).status_code == 303, "and the one that began still can"


@both
async def test_an_answer_works_once(browser: Browser):
    query = await browser.issuer(await browser.begin())
    cookie = dict(browser.gateway.cookies)
    assert (await browser.back(query)).status_code == 303
    browser.gateway.cookies.clear()
    browser.gateway.cookies.update(cookie)
    assert (await browser.back(query)).status_code == 400
    assert await browser.me() is None


async def test_a_session_that_was_there_before_is_replaced(browser: Browser, issuer: Provider):
    """Session fixation: what the browser held before the sign-in is not what it holds after it."""
    browser.gateway.cookies.set("gateway_session", "gs_planted", domain="gateway.local")
    await browser.sign_in()
    assert "gs_planted" not in dict(browser.gateway.cookies).values()
    first = await browser.me()
    issuer.person = Person("bob", {"name": "Bob"})
    await browser.sign_in()
    second = await browser.me()
    assert first is not None
    assert second is not None
    assert (second["name"], second["user"] != first["user"]) == ("Bob", True)


async def test_next_leads_nowhere_else(browser: Browser):
    for target in (
        "//evil.example.com",
        "https://evil.example.com",
        "/\\evil.example.com",
        "javascript:alert(1)",
        "/\t/evil.example.com",
        "",
    ):
        assert (await browser.sign_in(next=target)).headers["location"] == "/account", target


async def test_the_issuer_must_name_itself(browser: Browser):
    for named in ("https://evil.example.com", None):
        query = await browser.issuer(await browser.begin())
        query.pop("iss")
        assert (await browser.back({**query, **({"iss": named} if named else {})})).status_code == 400
    assert await browser.me() is None


async def test_refusals_of_the_issuer_are_told(browser: Browser, issuer: Provider):
    issuer.person = None
    answer = await browser.sign_in()
    assert answer.status_code == 400
    assert "cancelled" in answer.text
    assert 'href="/sign-in"' in answer.text
    issuer.down = True
    url = await browser.begin()
    issuer.person = Person("alice")
    query = await browser.issuer(url)
    issuer.authority.clients.clear()
    assert (await browser.back(query)).status_code == 503


async def test_a_code_of_another_client_or_without_its_verifier_is_not_exchanged(
    browser: Browser, other: Browser, issuer: Provider
):
    stolen = await browser.issuer(await browser.begin())
    own = await other.issuer(await other.begin())
    answer = await other.back({**own, "code": stolen["code"]})
    assert answer.status_code == 400, "PKCE: the code was given for another verifier"
    assert await other.me() is None
    assert issuer.hits["/token"] == 1


TAMPERED: list[dict[str, Any]] = [
    {"aud": ["another-client"]},
    {"aud": [CLIENT, "another-client"]},
    {"azp": "another-client"},
    {"nonce": "another"},
    {"iss": "https://evil.example.com"},
    {"exp": 1},
    {"iat": 9_999_999_999},
    {"sub": None},
    {"sub": 5},
    {"sub": "a\0b"},
    {"sub": "x" * 256},
]


async def test_id_tokens_that_do_not_hold_sign_nobody_in(
    browser: Browser, issuer: Provider, caplog: pytest.LogCaptureFixture
):
    for tampered in TAMPERED:
        issuer.tampered.clear()
        issuer.tampered.update(tampered)
        answer = await browser.sign_in()
        assert answer.status_code == 400, tampered
        assert "could not be verified" in answer.text
        assert "was not accepted" in caplog.text
        assert await browser.me() is None
        caplog.clear()


async def test_pages_in_between_give_nothing_away(browser: Browser):
    for answer in (await browser.back({"state": "<script>", "code": "secret-code"}), await browser.sign_in()):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "script" not in answer.text
        assert "secret-code" not in answer.text


async def test_nothing_merges_by_itself(browser: Browser, issuer: Provider):
    await browser.sign_in()
    first = await browser.me()
    issuer.person = Person("mallory", {"email": "alice@example.com", "email_verified": True})
    await browser.sign_in()
    second = await browser.me()
    assert first is not None
    assert second is not None
    assert first["user"] != second["user"]


async def csrf(browser: Browser, gateway: Gateway) -> str:
    """What a form of the console would carry."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.gateway.cookies.items())
    visitor = await gateway.registry.plugins[0].context.sessions.visit(
        {b"cookie": cookie.encode()}, client=Client()
    )
    assert visitor is not None
    return visitor.csrf


@both
async def test_another_way_to_sign_in_is_added_with_a_form_of_ones_own(
    browser: Browser, other: Browser, gateway: Gateway, issuer: Provider
):
    assert (await browser.gateway.post(START, data={"csrf_token": "x"})).status_code == 403
    await browser.sign_in()
    me = await browser.me()
    assert me is not None
    for form in ({}, {"csrf_token": "x"}, {"csrf_token": ""}):
        assert (await browser.gateway.post(START, data=form)).status_code == 403
    issuer.person = Person("alice-at-work", {"email": "work@example.com"})
    page = await browser.gateway.post(
        START, data={"csrf_token": await csrf(browser, gateway), "next": "/account/ways"}
    )
    assert page.status_code == 200
    url = unescape(page.text.partition("url=")[2].partition('"')[0])
    answer = await browser.back(await browser.issuer(url))
    assert (answer.status_code, answer.headers["location"]) == (303, "/account/ways")
    await other.sign_in()
    same = await other.me()
    assert same is not None
    assert same["user"] == me["user"]


async def test_nothing_is_added_once_the_session_has_ended(
    browser: Browser, gateway: Gateway, issuer: Provider
):
    await browser.sign_in()
    me = await browser.me()
    assert me is not None
    issuer.person = Person("mallory")
    page = await browser.gateway.post(START, data={"csrf_token": await csrf(browser, gateway)})
    query = await browser.issuer(unescape(page.text.partition("url=")[2].partition('"')[0]))
    sessions = gateway.registry.plugins[0].context.sessions
    await sessions.revoke(me["session"], user=me["user"], actor=Actor(kind="command", id="tests"))
    assert (await browser.back(query)).status_code == 403
    assert await sessions.identity("oidc", f"{issuer.url} mallory") is None


async def test_an_address_begins_so_many(browser: Browser):
    for _ in range(60):
        await browser.begin()
    refused = await browser.gateway.get(START)
    assert (refused.status_code, "retry-after" in refused.headers) == (429, True)
    assert "Too many sign-ins" in refused.text
