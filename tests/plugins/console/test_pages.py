"""The pages as a browser's requests: who gets in, what forms need, what every answer carries. No browser, no socket."""

from __future__ import annotations

import re
import uuid
from collections.abc import AsyncGenerator
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient, Response
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from gateway import Gateway
from gateway.identity.owner import sign_in_link
from gateway.identity.people import Client, Proof, SignedIn
from gateway.store.audit import Actor
from gateway.store.invitations import invite, link_of
from gateway.store.keys import tenant_keys
from gateway.store.tenants import create_tenant

ADMIN = Actor(kind="command", id="root")
AGENT = "Mozilla/5.0 (X11; Linux) Firefox/150.0"
PAGES = ("/account", "/account/keys", "/account/keys/new", "/account/ways", "/account/sessions")


pytestmark = pytest.mark.asyncio(loop_scope="module")
"""They share a gateway; each has people of its own."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    made = Gateway.from_dict(
        {
            "gateway": {
                "database": f"sqlite:///{folder}/gateway.db",
                "identity": {"sign_up": "open", "public_url": "http://gateway"},
            },
            "auth": {"apikey": {}},
            "provider": {"mock": {}},
            "service": {"console": {}},
        }
    )
    await made.startup()
    yield made
    await made.shutdown()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(gateway: Gateway) -> AsyncGenerator[AsyncClient]:
    async with gateway.client as client:
        client.headers["user-agent"] = AGENT
        yield client


async def sign_in(gateway: Gateway, who: str = "ann") -> SignedIn:
    proof = Proof(kind="did", subject=f"did:key:{uuid.uuid4()}", label=who, name=who)
    return await gateway._context.sessions.sign_in(proof, method="did-key", client=Client(agent=AGENT))


def enter(browser: AsyncClient, signed_in: SignedIn) -> None:
    browser.cookies.set("gateway_session", signed_in.access)
    browser.cookies.set("gateway_refresh", signed_in.refresh)


def field(page: Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page.text)
    assert found, f"no field {name}"
    return found[1]


async def test_nobody_sees_an_account_that_is_not_theirs(gateway: Gateway, browser: AsyncClient) -> None:
    for path in PAGES:
        answer = await browser.get(path)
        assert answer.status_code == 303
        url = urlsplit(answer.headers["location"])
        assert (url.path, parse_qs(url.query)) == ("/sign-in", {"next": [path]})
    ann, bob = await sign_in(gateway), await sign_in(gateway, "bob")
    enter(browser, ann)
    token = field(await browser.get("/account"), "csrf_token")
    form = {"csrf_token": token}
    theirs = bob.session
    assert (await browser.post(f"/account/sessions/{theirs.id}/revoke", data=form)).status_code == 404
    (way,) = await gateway._context.sessions.identities_of(theirs.user)
    assert (await browser.post(f"/account/ways/{way.id}/remove", data=form)).status_code == 404
    assert (await browser.post("/account/tenant", data={**form, "tenant": "acme"})).status_code == 403
    for answer in [await browser.get(path) for path in PAGES]:
        assert answer.status_code == 200
        assert "bob" not in answer.text


async def test_every_answer_says_what_browsers_may_do(gateway: Gateway, browser: AsyncClient) -> None:
    enter(browser, await sign_in(gateway))
    for path in (*PAGES, "/sign-in", "/sign-in/link?token=x", "/invitation?token=x"):
        answer = await browser.get(path)
        headers = answer.headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", answer.text)
    static = await browser.get("/console/static/console.css")
    assert static.headers["content-type"].startswith("text/css")
    assert (await browser.get("/console/static/..%2fplugin.py")).status_code == 404


async def test_a_form_of_elsewhere_changes_nothing(gateway: Gateway, browser: AsyncClient) -> None:
    ann, other = await sign_in(gateway), await sign_in(gateway, "mallory")
    enter(browser, other)
    stolen = field(await browser.get("/account"), "csrf_token")
    enter(browser, ann)
    routes = [route for route in gateway.routes if isinstance(route, Route)]
    paths = [route.path for route in routes if "POST" in (route.methods or ())]
    forms = [path for path in paths if path.startswith(("/account", "/sign-in/l", "/invitation"))]
    assert len(forms) >= 9
    tokens: list[dict[str, str]] = [{}, {"csrf_token": ""}, {"csrf_token": stolen}]
    for path in forms:
        for token in tokens:
            answer = await browser.post(re.sub(r"{\w+}", "x", path), data={"name": "x", **token})
            assert answer.status_code == 403, path
        assert (await browser.post(re.sub(r"{\w+}", "x", path), json={})).status_code in {403, 415}
    database = gateway._context.database
    assert await tenant_keys(database, "default", owner=ann.session.user) == []
    assert len(await gateway._context.sessions.sessions_of(ann.session.user)) == 1


async def test_a_link_is_used_by_a_click_and_once(gateway: Gateway, browser: AsyncClient) -> None:
    database = gateway._context.database
    user = (await sign_in(gateway, "owner")).session.user
    link = await sign_in_link(database, user, base_url="")
    token = link.partition("=")[2]
    # Mail scanners open it, more than once, and may even send what the page does, without the cookie of the page.
    for _ in range(2):
        assert (await browser.get(link)).status_code == 200
    page = await browser.get(link)
    assert "owner" in page.text
    form = {"csrf_token": field(page, "csrf_token"), "token": token}
    planted = browser.cookies.get("gateway_form")
    browser.cookies.clear()
    assert (await browser.post("/sign-in/link", data=form)).status_code == 403
    browser.cookies.clear()
    browser.cookies.set("gateway_session", "gs_planted")  # as an attacker may who wants to know the session
    browser.cookies.set("gateway_refresh", "gr_planted")
    browser.cookies.set("gateway_form", planted or "")
    answer = await browser.post("/sign-in/link", data=form)
    assert answer.status_code == 303
    session = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("gateway_session="))
    assert "planted" not in session
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(session.split("; "))
    browser.cookies.clear()
    assert (await browser.get(link)).status_code == 410
    page = await browser.get("/sign-in")
    form["csrf_token"] = browser.cookies.get("gateway_form") or ""
    assert (await browser.post("/sign-in/link", data=form)).status_code == 410


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "/%09/evil.example", "javascript:1"]
)
async def test_a_sign_in_leads_to_no_other_site(gateway: Gateway, browser: AsyncClient, to: str) -> None:
    enter(browser, await sign_in(gateway))
    for path in (f"/sign-in?next={to}", f"/sign-in/language?to=ja&next={to}"):
        location = (await browser.get(path)).headers["location"]
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\", "/\t"))
        assert "evil" not in location or location.startswith("/%09")
    location = (await browser.get("/sign-in?next=/account/keys?a=1")).headers["location"]
    assert location == "/account/keys?a=1"


async def test_a_key_is_shown_once_and_can_do_no_more_than_its_owner(
    gateway: Gateway, browser: AsyncClient
) -> None:
    ann = await sign_in(gateway)
    enter(browser, ann)
    page = await browser.get("/account/keys/new")
    assert 'value="users.manage"' not in page.text, "a member does not have it"
    form = {
        "csrf_token": field(page, "csrf_token"),
        "form": field(page, "form"),
        "name": "<b>laptop</b>",
        "scopes": ["calls.make", "calls.own"],
        "lifetime": "30",
        "restrict": "some",
        "models": "mock/*\nmock/*\n",
    }
    wrongs: list[dict[str, str | list[str]]] = [
        {"scopes": ["users.manage"]},
        {"scopes": ["no.such"]},
        {"scopes": []},
        {"name": " "},
        {"models": " "},
        {"lifetime": "99999"},
    ]
    for wrong in wrongs:
        answer = await browser.post("/account/keys", data={**form, **wrong})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
    made = await browser.post("/account/keys", data=form)
    assert made.status_code == 200
    found = re.search(r'value="(gw_\w+)"', made.text)
    assert found
    assert "<b>" not in made.text
    again = await browser.post("/account/keys", data=form)
    assert again.headers["location"] == "/account/keys?done=key-known"
    listed = await browser.get("/account/keys")
    assert found[1] not in listed.text
    (key,) = await tenant_keys(gateway._context.database, "default", owner=ann.session.user)
    assert (key.models, key.scopes) == (("mock/*",), ("calls.make", "calls.own"))
    models = await browser.get("/v1/models", headers={"authorization": f"Bearer {found[1]}", "cookie": ""})
    assert {model["id"].partition("/")[0] for model in models.json()["data"]} == {"mock"}
    rotation = {"csrf_token": form["csrf_token"], "form": "another", "overlap": "0"}
    rotated = await browser.post(f"/account/keys/{key.id}/rotate", data=rotation)
    assert found[1] not in rotated.text
    assert re.search(r'value="(gw_\w+)"', rotated.text)
    keys = await tenant_keys(gateway._context.database, "default", owner=ann.session.user)
    assert key.id not in {row.id for row in keys}


async def test_who_is_invited_accepts_and_may_switch_back(gateway: Gateway, browser: AsyncClient) -> None:
    database = gateway._context.database
    await create_tenant(database, "acme", actor=ADMIN)
    _, token = await invite(database, "acme", "viewer", actor=ADMIN)
    ann = await sign_in(gateway)
    enter(browser, ann)
    opened = await browser.get(link_of("", token))
    assert opened.headers["location"] == f"/invitation?token={token}"
    page = await browser.get(opened.headers["location"])
    assert "acme" in page.text
    form = {"csrf_token": field(page, "csrf_token"), "token": token}
    assert (await browser.post("/invitation", data=form)).headers["location"] == "/account?done=accepted"
    keys = await browser.get("/account/keys/new")
    assert keys.status_code == 403, "viewers make no keys"
    assert (await browser.post("/invitation", data=form)).status_code == 403
    switched = await browser.post("/account/tenant", data={**form, "tenant": "default"})
    assert switched.headers["location"] == "/account?done=switched"
    assert (await browser.get("/account/keys/new")).status_code == 200


async def test_signing_out_ends_the_session_and_takes_the_cookies(
    gateway: Gateway, browser: AsyncClient
) -> None:
    ann = await sign_in(gateway)
    enter(browser, ann)
    token = field(await browser.get("/account"), "csrf_token")
    answer = await browser.post("/sign-in/leave", data={"csrf_token": token})
    assert all("Max-Age=0" in cookie for cookie in answer.headers.get_list("set-cookie"))
    enter(browser, ann)
    assert (await browser.get("/account")).status_code == 303


async def test_every_link_of_a_mounted_gateway_stays_below_the_mount_point(gateway: Gateway) -> None:
    ann = await sign_in(gateway)
    transport = ASGITransport(app=Starlette(routes=[Mount("/ai", gateway)]))
    async with AsyncClient(transport=transport, base_url="http://gateway") as browser:
        browser.headers["user-agent"] = AGENT
        away = await browser.get("/ai/account/keys")
        assert away.headers["location"] == "/ai/sign-in?next=%2Faccount%2Fkeys"
        enter(browser, ann)
        back = await browser.get(away.headers["location"])
        assert back.headers["location"] == "/ai/account/keys"
        for path in PAGES:
            page = await browser.get("/ai" + path)
            links = re.findall(r'(?:href|src|action|data-start)="([^"#]+)"', page.text)
            assert len(links) > 8
            assert [link for link in links if not link.startswith("/ai/")] == []
            for link in {link for link in links if "/static/" in link}:
                assert (await browser.get(link)).status_code == 200


async def test_programs_refresh_and_sign_out_with_json(gateway: Gateway, browser: AsyncClient) -> None:
    ann = await sign_in(gateway)
    bearer = {"authorization": f"Bearer {ann.access}"}
    assert (await browser.get("/v1/models", headers=bearer)).status_code == 200
    answer = await browser.post("/sign-in/refresh", json={"refresh_token": ann.refresh})
    tokens = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert tokens["token_type"] == "Bearer"
    assert 800 < tokens["expires_in"] <= 900
    for body in (b"{}", b"[]", b"\xff", b'{"refresh_token": 1}'):
        assert (await browser.post("/sign-in/refresh", content=body)).status_code == 400
    wrong = await browser.post("/sign-in/refresh", json={"refresh_token": "gr_x"})
    assert wrong.status_code == 401
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    assert (await browser.post("/sign-in/out")).status_code == 401
    assert (await browser.post("/sign-in/out", headers=bearer)).status_code == 204
    assert (await browser.get("/v1/models", headers=bearer)).status_code == 401


async def test_a_script_refreshes_with_the_token_of_its_page(gateway: Gateway, browser: AsyncClient) -> None:
    enter(browser, await sign_in(gateway))
    token = field(await browser.get("/account"), "csrf_token")
    browser.cookies.delete("gateway_session")
    assert (await browser.post("/sign-in/refresh")).status_code == 403
    answer = await browser.post("/sign-in/refresh", headers={"x-csrf-token": token})
    assert answer.status_code == 204
    assert (await browser.get("/account")).status_code == 200
    browser.cookies.clear()
    assert (await browser.post("/sign-in/refresh")).status_code == 401
