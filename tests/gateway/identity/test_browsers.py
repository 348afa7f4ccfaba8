"""Sessions in browsers: cookies, forms, and where a sign-in leads to."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import AuthenticationFailed, PermissionDenied
from gateway.identity.cookies import Cookies, local_path
from gateway.identity.people import Client, Rules, SignedIn
from gateway.store import Database

from .workers import BROWSER, Asked, sqlite_only, worker

FORM = "application/x-www-form-urlencoded"


def cookie(signed_in: SignedIn) -> dict[str, str]:
    return {"cookie": f"theme=dark; gateway_session={signed_in.access}; gateway_refresh={signed_in.refresh}"}


def headers(signed_in: SignedIn) -> Mapping[bytes, bytes]:
    return Asked(cookie(signed_in)).headers


@sqlite_only
async def test_what_changes_something_needs_the_token_of_the_session(database: Database) -> None:
    async with worker(database) as here:
        ann, other = await here.sign_in(), await here.sign_in()
        ask = here.sessions.authenticate
        assert await ask(Asked(cookie(ann))) is not None
        visitor = await here.sessions.visit(headers(ann), client=BROWSER)
        stranger = await here.sessions.visit(headers(other), client=BROWSER)
        assert visitor is not None
        assert stranger is not None
        assert visitor.csrf != stranger.csrf
        for method in ("POST", "PUT", "PATCH", "DELETE", "QUERY"):
            for token in (None, "", stranger.csrf, ann.access):
                wrong = {"x-csrf-token": token} if token is not None else {}
                with pytest.raises(PermissionDenied):
                    await ask(Asked({**cookie(ann), **wrong}, method))
            assert await ask(Asked({**cookie(ann), "x-csrf-token": visitor.csrf}, method)) is not None
        form = {**cookie(ann), "content-type": f"{FORM}; charset=utf-8"}
        assert await ask(Asked(form, "POST", f"name=x&csrf_token={visitor.csrf}".encode())) is not None
        with pytest.raises(PermissionDenied):
            await ask(Asked(form, "POST", f"name=x&csrf_token={stranger.csrf}".encode()))
        bearer = {"authorization": f"Bearer {ann.access}"}
        assert await ask(Asked(bearer, "POST")) is not None, "no browser sends that by itself"
        visitor.check(visitor.csrf)
        for wrong_token in (None, "", stranger.csrf, "é"):
            with pytest.raises(PermissionDenied):
                visitor.check(wrong_token)


@sqlite_only
async def test_a_page_of_elsewhere_cannot_open_a_socket(database: Database) -> None:
    async with worker(database) as here:
        ann = await here.sign_in()
        opening = {**cookie(ann), "upgrade": "websocket", "sec-websocket-key": "x"}
        assert await here.sessions.authenticate(Asked(opening)) is None


@sqlite_only
async def test_a_visit_refreshes_what_has_run_out(database: Database) -> None:
    async with worker(database) as here:
        ann = await here.sign_in()
        first = await here.sessions.visit(headers(ann), client=BROWSER)
        assert first is not None
        assert first.headers == []
        old = {b"cookie": f"gateway_refresh={ann.refresh}".encode()}
        second = await here.sessions.visit(old, client=BROWSER)
        tab = await here.sessions.visit(old, client=BROWSER)
        assert second is not None
        assert tab is not None
        assert second.csrf == first.csrf, "an open page's forms go on working"
        assert second.headers == tab.headers
        assert all(name == b"set-cookie" for name, _ in second.headers)
        assert await here.sessions.visit({}, client=BROWSER) is None
        assert await here.sessions.visit({b"cookie": b"gateway_session=gs_0"}, client=BROWSER) is None
        assert await here.sessions.visit(old, client=Client(agent="curl/8")) is None, "somebody else has it"
        assert await here.sessions.visit(headers(ann), client=BROWSER) is None
        with pytest.raises(AuthenticationFailed):
            await here.sessions.authenticate(Asked(cookie(ann)))


@sqlite_only
async def test_cookies_are_as_strict_as_the_address_allows(database: Database) -> None:
    async with worker(database) as here:
        ann = await here.sign_in()
    secure = Cookies(Rules(public_url="https://ai.example.com"))
    for _, value in secure.headers(ann):
        name, *attributes = value.decode().split("; ")
        assert name.startswith("__Host-gateway_")
        assert {"Path=/", "HttpOnly", "SameSite=Lax", "Secure"} <= set(attributes)
        assert not any(attribute.startswith("Domain") for attribute in attributes)
    planted = f"gateway_session={ann.access}".encode()
    assert secure.access(planted) is None
    assert secure.access(b"a=b; __Host-" + planted) == ann.access.encode()
    local = Cookies(Rules())
    assert local.access(planted) == ann.access.encode()
    assert local.access(b"xgateway_session=1") is None
    assert local.access(b"gateway_session=") is None
    assert all(b"Secure" not in value for _, value in local.headers(ann))
    assert all(b"Max-Age=0" in value for _, value in local.clear())


@given(st.text(st.sampled_from("/\\.:@%ahtp\t\n\r ?#&é"), max_size=12) | st.text(max_size=12))
def test_a_sign_in_leads_nowhere_else(value: str) -> None:
    path = local_path(value, "/account")
    assert path in {value, "/account"}
    # As browsers read it: they drop tabs and line ends, and take backslashes for slashes.
    read = "".join(c for c in path if c not in "\t\r\n").replace("\\", "/")
    assert urlsplit(urljoin("https://ai.example.com/sign-in", read)).netloc == "ai.example.com"


@pytest.mark.parametrize(
    "value",
    [None, "", "//evil.example", "/\\evil.example", "/\t/evil.example", "https://evil.example", "account"],
)
def test_what_is_no_path_of_ours_leads_to_the_account(value: str | None) -> None:
    assert local_path(value, "/account") == "/account"
    assert local_path("/account/keys?new=1#top", "/account") == "/account/keys?new=1#top"
