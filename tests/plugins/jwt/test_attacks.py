"""Tokens that must not get in: RFC 8725, RFC 7515 §10, and what was done to others."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from joserfc import jwe, jwk, jwt
from joserfc.errors import SecurityWarning
from joserfc.jws import JWSRegistry

from gateway.errors import AuthenticationFailed

from .conftest import Door, Serve
from .oidc import AUDIENCE, CLIENT, Provider, private_key, provider, public


@pytest.fixture
async def door(serve: Serve) -> Door:
    return await serve(algorithms=["RS256", "ES256", "EdDSA"])


def encoded(value: object) -> str:
    if not isinstance(value, bytes):
        value = (value if isinstance(value, str) else json.dumps(value)).encode()
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def resigned(issuer: Provider, header: object, claims: object, *, key: jwk.Key | None = None) -> str:
    """Sign exactly this header and content with a genuine key, as no library would."""
    key = key or issuer.key
    signing_input = f"{encoded(header)}.{encoded(claims)}".encode()
    signature = JWSRegistry.algorithms[str(key.alg)].sign(signing_input, key)
    return f"{signing_input.decode()}.{encoded(signature)}"


def head(issuer: Provider, **more: Any) -> dict[str, Any]:
    return {"alg": issuer.key.alg, "kid": issuer.key.kid, "typ": "at+jwt", **more}


async def test_the_helper_signs_as_it_should(issuer: Provider, door: Door):
    assert await door.send(resigned(issuer, head(issuer), issuer.claims()))


async def test_algorithms_are_pinned(issuer: Provider, door: Door):
    genuine = issuer.token().split(".")
    for alg in ("none", "None", "NONE", "", "HS256", "RS512", "ES256K", "dir", 5, None):
        for signature in ("", genuine[2]):
            forged = f"{encoded(head(issuer, alg=alg))}.{genuine[1]}.{signature}"
            assert (await door.refusal(forged)).startswith("401 "), alg


async def test_a_public_key_is_no_shared_secret(issuer: Provider, door: Door):
    issuer.rotate(private_key("rsa", "RS256"))
    assert isinstance(issuer.key, jwk.RSAKey)
    content = f"{encoded(head(issuer, alg='HS256'))}.{encoded(issuer.claims())}"
    for secret in (
        issuer.key.as_pem(private=False),
        issuer.key.as_pem(private=False).strip(),
        json.dumps(public(issuer.key)).encode(),
        str(public(issuer.key)["n"]).encode(),
    ):
        forged = f"{content}.{encoded(hmac.digest(secret, content.encode(), 'sha256'))}"
        assert "algorithm" in await door.refusal(forged)


async def test_a_token_cannot_bring_its_own_key(issuer: Provider, door: Door):
    mine = private_key("mine", "ES256")
    async with provider() as evil:
        evil.rotate(mine)
        url = f"{evil.url}/jwks"
        for more in (
            {"jwk": public(mine)},
            {"jku": url},
            {"x5u": url},
            {"x5c": ["MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"]},
            {"jwk": public(mine), "jku": url, "kid": "mine"},
            {"kid": url},
        ):
            assert (
                await door.refusal(resigned(issuer, head(issuer, **more), issuer.claims(), key=mine))
            ).startswith("401 ")
        assert not evil.hits
    assert (await door.refusal(issuer.token(header={"jwk": public(issuer.key)}))).startswith("401 ")


KEY_IDS: list[Any] = [
    "../../../../dev/null",
    "/proc/self/environ",
    "' UNION SELECT 'a' --",
    "",
    " first",
    "FIRST",
    "first\0",
    "x" * 5000,
    "http://127.0.0.1:1/jwks",
    ["first"],
    {"kid": "first"},
    True,
    0,
]


async def test_a_key_id_is_only_ever_a_name(issuer: Provider, door: Door):
    for kid in KEY_IDS:
        mine = private_key("mine", "ES256")
        for key in (mine, issuer.key):
            answer = await door.refusal(resigned(issuer, head(issuer, kid=kid), issuer.claims(), key=key))
            assert answer.startswith("401 ")


async def test_one_issuers_key_is_no_good_for_another(issuer: Provider, serve: Serve):
    async with provider() as other:
        other.rotate(private_key("others", "ES256"))
        door = await serve({"other": {"issuer": other.url, "audience": AUDIENCE}})
        assert await door.send(other.token())
        assert "no such key" in await door.refusal(other.token(iss=issuer.url))
        same_id = private_key("first", "EdDSA")
        other.rotate(same_id)
        forged = issuer.token(key=same_id)
        assert (await door.refusal(forged)).startswith("401 ")


HEADERS: list[Any] = [
    {"crit": ["exp"], "exp": 1},
    {"crit": []},
    {"b64": False, "crit": ["b64"]},
    {"b64": False},
    {"zip": "DEF"},
    {"cty": "JWT"},
    {"enc": "A128GCM"},
]


async def test_header_parameters_that_change_what_is_signed_are_refused(issuer: Provider, door: Door):
    for more in HEADERS:
        assert "header holds" in await door.refusal(resigned(issuer, head(issuer, **more), issuer.claims()))


CLAIMS: list[Any] = [
    ({"exp": 1_000_000_000}, "expired"),
    ({"exp": None}, "lacks the claim"),
    ({"exp": "9999999999"}, "exp"),
    ({"exp": True}, "exp"),
    ({"nbf": 9_999_999_999}, "not yet valid"),
    ({"nbf": "0"}, "nbf"),
    ({"iat": 9_999_999_999}, "future"),
    ({"aud": "https://other.example.com"}, "audience"),
    ({"aud": AUDIENCE + "/"}, "audience"),
    ({"aud": [AUDIENCE[:-1], "x"]}, "audience"),
    ({"aud": {AUDIENCE: 1}}, "audience"),
    ({"aud": None}, "audience"),
    ({"iss": "https://evil.example.com"}, "issuer"),
    ({"iss": None}, "issuer"),
    ({"iss": ["https://evil.example.com"]}, "issuer"),
]


async def test_claims_must_hold(issuer: Provider, door: Door):
    for claims, why in CLAIMS:
        answer = await door.refusal(issuer.token(**claims))
        assert answer.startswith("401 ")
        assert why in answer


async def test_a_trailing_slash_makes_another_issuer(issuer: Provider, door: Door):
    assert "issuer" in await door.refusal(issuer.token(iss=issuer.url + "/"))


async def test_clocks_may_differ_a_little(issuer: Provider, serve: Serve):
    door, now = await serve(leeway_seconds=60), int(time.time())
    assert await door.send(issuer.token(exp=now - 5, nbf=now + 30, iat=now + 30))
    assert "expired" in await door.refusal(issuer.token(exp=now - 100))


NO_ACCESS_TOKENS: list[Any] = [
    ({"typ": "JWT"}, {"nonce": "n"}),
    ({"typ": "JWT"}, {"at_hash": "h"}),
    ({"typ": "JWT"}, {"aud": [AUDIENCE, CLIENT], "azp": CLIENT}),
    ({"typ": "JWT"}, {"azp": CLIENT, "scope": None}),
    ({"typ": "JWT"}, {"token_use": "id"}),
    ({"typ": "JWT"}, {"typ": "ID"}),
    ({"typ": "JWT"}, {"typ": "Refresh"}),
    ({"typ": "JWT"}, {"aud": CLIENT}),
    ({"typ": "id_token+jwt"}, {}),
    ({"typ": "logout+jwt"}, {}),
    ({"typ": "dpop+jwt"}, {}),
    ({"typ": "secevent+jwt"}, {}),
    ({"typ": 7}, {}),
]


async def test_what_is_no_access_token_is_refused(issuer: Provider, serve: Serve):
    door = await serve(client_id=CLIENT)
    for header, claims in NO_ACCESS_TOKENS:
        token = resigned(
            issuer,
            head(issuer, **header),
            {name: value for name, value in issuer.claims(**claims).items() if value is not None},
        )
        assert (await door.refusal(token)).startswith("401 ")


async def test_access_tokens_of_common_issuers_are_none_the_less_accepted(issuer: Provider, serve: Serve):
    door = await serve(client_id=CLIENT)
    keycloak: dict[str, Any] = {"typ": "Bearer", "azp": CLIENT, "scope": "openid email"}
    assert await door.send(issuer.token(header={"typ": "JWT"}, **keycloak))
    entra: dict[str, Any] = {"azp": CLIENT, "scope": None, "roles": ["ai"]}
    assert await door.send(issuer.token(header={"typ": "JWT", "x5t": "abc"}, **entra))
    assert await door.send(issuer.token(header={"typ": "application/at+jwt", "jku": f"{issuer.url}/jwks"}))
    cognito = await serve(claims={"audience": "client_id"}, audience=["app"])
    assert await cognito.send(
        issuer.token(header={"typ": "JWT"}, aud=None, client_id="app", token_use="access")
    )


async def test_an_issuer_that_says_at_jwt_is_taken_at_its_word(issuer: Provider, serve: Serve):
    door = await serve(token_type="at+jwt")
    assert await door.send(issuer.token())
    for typ in ("JWT", "jwt", ""):
        assert "type" in await door.refusal(issuer.token(header={"typ": typ}))


ODD_JSON: list[Any] = [
    ('{"alg":"ES256","kid":"first","kid":"first"}', None),
    ('{"alg":"none","alg":"ES256","kid":"first"}', None),
    (None, '{"iss":"ISSUER","aud":"AUDIENCE","sub":"a","sub":"b","exp":9999999999}'),
    (None, '{"iss":"ISSUER","aud":"AUDIENCE","sub":"a","exp":NaN}'),
    (None, '{"iss":"ISSUER","aud":"AUDIENCE","sub":"a","exp":Infinity}'),
    (None, '{"iss":"ISSUER","aud":"AUDIENCE","sub":"a","exp":1e999}'),
    (None, '{"iss":"ISSUER","aud":"AUDIENCE","sub":"a","a":{"x":1,"x":2},"exp":9999999999}'),
    (None, "[" * 8000),
    (None, '"text"'),
    (None, "[1]"),
    ("[]", None),
    ("null", None),
]


async def test_json_is_read_strictly(issuer: Provider, door: Door):
    for header, claims in ODD_JSON:
        content = (
            (claims or json.dumps(issuer.claims()))
            .replace("ISSUER", issuer.url)
            .replace("AUDIENCE", AUDIENCE)
        )
        token = resigned(issuer, header or json.dumps(head(issuer)), content)
        assert (await door.refusal(token)).startswith("401 ")


async def test_huge_encrypted_and_nested_tokens_are_refused(issuer: Provider, door: Door):
    assert "longer" in await door.refusal(issuer.token(padding="x" * 20_000))
    recipient = jwk.RSAKey.generate_key(2048)
    sealed = jwe.encrypt_compact({"alg": "RSA-OAEP", "enc": "A128GCM"}, issuer.token(), recipient)
    assert "encrypted" in await door.refusal(sealed)
    nested = resigned(issuer, head(issuer, cty="JWT"), issuer.token())
    assert (await door.refusal(nested)).startswith("401 ")


async def test_weak_and_unfit_keys_are_not_used(issuer: Provider, door: Door):
    with pytest.warns(SecurityWarning):
        weak = jwk.RSAKey.generate_key(1024, {"kid": "weak", "alg": "RS256"})
    strong = private_key("strong", "RS256")
    others: list[Any] = [
        public(issuer.key),
        public(weak),
        public(strong, kid="enc", use="enc"),
        public(strong, kid="other", alg="PS256"),
        {"kty": "oct", "kid": "shared", "k": encoded("x" * 32)},
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "EC"},
        "nonsense",
    ]
    issuer.published[:] = others
    assert await door.send(issuer.token())
    for kid, key in (("weak", weak), ("enc", strong), ("other", strong), ("broken", strong)):
        assert "no such key" in await door.refusal(issuer.token(header={"kid": kid}, key=key))
    shared = jwk.OctKey.import_key("x" * 32)
    assert "algorithm" in await door.refusal(
        jwt.encode({"alg": "HS256", "kid": "shared"}, issuer.claims(), shared, ["HS256"])
    )


async def test_no_change_to_a_token_goes_unnoticed(issuer: Provider, door: Door):
    token = issuer.token()
    assert await door.send(token)
    for place, character in enumerate(token):
        for other in ("A" if character != "A" else "B", chr(ord(character) ^ 1), ""):
            changed = token[:place] + other + token[place + 1 :]
            try:
                assert await door.send(changed) is None, f"{character!r} at {place} became {other!r}"
            except AuthenticationFailed:
                continue
            assert changed.count(".") != 2
