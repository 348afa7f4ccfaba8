"""`aigne hub connect`: a program asks for a key, a person grants it, the program fetches it once."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.store.keys import tenant_keys
from gateway.store.memberships import change_member

from .conftest import ACTOR, Hub, Person

SESSION = "/.well-known/service/api/access-key/session"
PAGE = "/.well-known/service/gen-simple-access-key"


def decrypted(text: str, *, salt: str, challenge: str) -> str:
    """Do what the command line does with what it fetches."""
    passphrase = hashlib.pbkdf2_hmac("sha512", challenge.encode(), salt.encode(), 256, 32).hex().encode()
    data = base64.b64decode(text)
    assert data.startswith(b"Salted__")
    rounds = [b""]
    for _ in range(3):
        rounds.append(hashlib.md5(rounds[-1] + passphrase + data[8:16], usedforsecurity=False).digest())
    decryptor = Cipher(algorithms.AES256(rounds[1] + rounds[2]), modes.CBC(rounds[3])).decryptor()
    padded = decryptor.update(data[16:]) + decryptor.finalize()
    return padded[: -padded[-1]].decode()


def test_it_is_decrypted_as_the_command_line_does() -> None:
    made_there = (
        "U2FsdGVkX1+XQ4V+4aUgVQ+Bw54PIz7YmCdAUMyIKTyHGHLA7DOkDGIYV/rJjfUI"  # by @aigne/cli's own code
    )
    assert decrypted(made_there, salt="key_example", challenge="a challenge") == "gw_not-a-real-key"


def begun(hub: Hub, **named: Any) -> tuple[str, str]:
    """The id of a session, and the link that the program opens."""
    session = hub.client.post(SESSION, headers={"user-agent": "node"}).json()["id"]
    token = base64.urlsafe_b64encode(session.encode()).decode().rstrip("=")
    query = {
        "source": "@aigne/cli",
        "closeOnSuccess": "true",
        "cli": "true",
        "appName": " AIGNE CLI",
        **named,
    }
    url = str(hub.client.build_request("GET", PAGE, params={"__token__": token, **query}).url)
    return session, url.partition("http://testserver")[2]


def shown(hub: Hub, session: str) -> Any:
    return hub.get(f"{SESSION}?sid={session}").json()


def page(hub: Hub, link: str, person: Person | None, **headers: str) -> Any:
    cookies = "" if person is None else "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    return hub.get(link, {"cookie": cookies, **headers})


def granted(hub: Hub, link: str, person: Person, csrf: str | None = None) -> Any:
    """Press the button."""
    if csrf is None:
        csrf = re.findall(r'name="csrf_token" value="([^"]+)"', page(hub, link, person).text)[0]
    cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
    return hub.client.post(link, data={"csrf_token": csrf}, headers={"cookie": cookies})


def test_a_key_is_granted_fetched_and_forgotten(hub: Hub) -> None:
    ann = hub.person("connecting")
    session, link = begun(hub)
    assert set(shown(hub, session)) == {"id", "challenge"}
    assert "Connected" in granted(hub, link, ann).text
    first, second = shown(hub, session), shown(hub, session)
    assert first == second, "the command line asks twice"
    key = decrypted(first["accessKeySecret"], salt=first["accessKeyId"], challenge=first["challenge"])
    info = hub.get("/api/user/info", {"authorization": f"Bearer {key}"}).json()
    assert info["user"]["did"] == "did:key:connecting"
    (row,) = hub.run(tenant_keys, hub.context.database, "acme", owner=ann.user)
    assert (row.id, row.name) == (first["accessKeyId"], "AIGNE CLI")
    assert hub.client.delete(f"{SESSION}?sid={session}").status_code == 200
    assert hub.get(f"{SESSION}?sid={session}").status_code == 404


def test_who_is_not_signed_in_signs_in_first(hub: Hub) -> None:
    _, link = begun(hub)
    answer = page(hub, link, None)
    assert answer.status_code == 303
    where = urlsplit(str(answer.headers["location"]))
    assert (where.path, parse_qs(where.query)["next"]) == ("/sign-in", [link])


def test_the_page_says_who_asks_and_trusts_nothing_of_it(hub: Hub) -> None:
    _, link = begun(hub, appName="<script>alert(1)</script>")
    answer = page(hub, link, hub.person("careful"))
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "node" in answer.text
    policy = answer.headers["content-security-policy"]
    style = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_is_also_in_japanese(hub: Hub) -> None:
    _, link = begun(hub)
    answer = page(hub, link, hub.person("hanako"), **{"accept-language": "ja-JP,ja;q=0.9,en;q=0.8"})
    assert '<html lang="ja">' in answer.text
    assert "プログラムを接続" in answer.text


def test_a_form_of_another_site_grants_nothing(hub: Hub) -> None:
    session, link = begun(hub)
    answer = granted(hub, link, hub.person("victim"), csrf="guessed")
    assert answer.status_code == 403
    assert "accessKeyId" not in shown(hub, session)


def test_a_link_is_good_for_one_key(hub: Hub) -> None:
    ann = hub.person("twice")
    _, link = begun(hub)
    assert granted(hub, link, ann).status_code == 200
    assert granted(hub, link, ann).status_code == 409
    assert len(hub.run(tenant_keys, hub.context.database, "acme", owner=ann.user)) == 1


def test_who_may_have_no_keys_grants_none(hub: Hub) -> None:
    viewer = hub.person("onlooker")
    database = hub.context.database
    hub.run(change_member, database, "acme", viewer.user, "viewer", may=id, actor=ACTOR)
    ends = time.monotonic() + 20
    while hub.get("/api/user/info", viewer.bearer).status_code != 403:
        assert time.monotonic() < ends, "sessions learn of changed roles"
    session, link = begun(hub)
    assert granted(hub, link, viewer).status_code == 403
    assert "accessKeyId" not in shown(hub, session)


@pytest.mark.parametrize("token", ["", "####", "bm9ib2R5", "w6k"])
def test_a_link_that_nobody_made_is_told_so(hub: Hub, token: str) -> None:
    answer = page(hub, f"{PAGE}?__token__={token}", hub.person(f"lost-{len(token)}-{token[:1].isalpha()}"))
    assert answer.status_code == 404
    assert "Run the command again" in answer.text


def test_an_address_cannot_ask_without_end(hub: Hub) -> None:
    while (asked := hub.client.post(SESSION)).status_code != 429:  # the last test: the address is this one's
        assert asked.status_code == 200
    assert asked.json()["error"]["code"] == "too_many_sign_ins"
    assert int(asked.headers["retry-after"]) <= 60
