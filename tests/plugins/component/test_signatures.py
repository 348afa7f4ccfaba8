"""Signed requests: what is taken, and that whatever is changed about one is refused."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures._algorithms import ED25519
from http_message_signatures.resolvers import HTTPSignatureKeyResolver
from http_message_signatures.signatures import HTTPMessageSigner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import AuthenticationFailed
from gateway.plugin import Context
from gateway.sdk.signature_base import derived_parts, signature_base
from gateway_component.fields import Malformed, read_bytes, read_inputs

from .conftest import BODY, URL, Request, Service, running

RFC = {
    "date": "Tue, 20 Apr 2021 02:07:55 GMT",
    "content-type": "application/json",
    "content-length": "18",
    "signature-input": 'sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length")'
    ';created=1618884473;keyid="test-key-ed25519"',
    "signature": "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
}
"""RFC 9421, appendix B.2.6; the key is that of B.1.4."""
RFC_KEY = base64.b64decode("JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=")
RFC_BODY = b'{"hello": "world"}'
RFC_DIGEST = (
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:"
)


def test_the_vector_of_the_rfc():
    given = read_inputs(RFC["signature-input"])["sig-b26"]
    values = {**RFC, **derived_parts("POST", "example.com", b"/foo?param=Value&Pet=dog")}
    base = signature_base(given.in_order, values, given.text)
    signature = read_bytes(RFC["signature"], "signature")["sig-b26"]
    Ed25519PublicKey.from_public_bytes(RFC_KEY).verify(signature, base)
    assert given.params == {"created": 1618884473, "keyid": "test-key-ed25519"}


def test_the_digest_of_the_rfc():
    assert read_bytes(RFC_DIGEST, "content-digest") == {"sha-512": hashlib.sha512(RFC_BODY).digest()}


@pytest.mark.parametrize(
    "field",
    [
        "",
        "sig1",
        "sig1=()x",
        'sig1=("@method";req);created=1',
        'sig1=("@query-param";name="Pet");created=1',
        'sig1=("@method" "@method");created=1',
        'sig1=("@method");created=1;created=2',
        'sig1=("@method"), sig1=("@path")',
        'sig1=("@method"),',
        'sig1=("@method");nonce="a\nb"',
        'SIG=("@method")',
        "sig1=(@method)",
        'sig1=("@method")' + ";a=1" * 2000,
    ],
)
def test_what_is_no_signature_input_is_refused(field: str):
    with pytest.raises(Malformed):
        read_inputs(field)


def read_signature(field: str) -> object:
    return read_bytes(field, "signature")


READERS: Sequence[Callable[[str], object]] = (read_inputs, read_signature)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str):
    for read in READERS:
        try:
            read(text)
        except Malformed:
            continue


async def test_a_signature_becomes_a_principal(service: Service):
    principal = await service.ask(service.signed(x_user_did="did:abt:z1ann"))
    assert principal
    assert principal.tenant == "acme"
    assert (principal.key, principal.key_name) == (service.row.id, "billing")
    assert principal.user == "did:abt:z1ann"
    assert principal.roles == {"component"}
    assert principal.may("calls.make")


async def test_a_request_without_a_body(service: Service):
    headers = service.signed(method="GET", body=b"", url="http://localhost:8080/v1/models")
    assert await service.ask(headers, method="GET", body=b"", target="/v1/models")


async def test_signatures_for_others_are_left_to_them(service: Service):
    assert await service.ask({}) is None
    assert await service.ask(RFC) is None
    headers = service.signed()
    assert (
        await service.ask({**headers, "signature-input": headers["signature-input"].replace("gateway", "x")})
        is None
    )


class _Resolver(HTTPSignatureKeyResolver):
    def __init__(self, key: Any) -> None:
        self.key = key

    def resolve_private_key(self, key_id: str) -> Any:
        return self.key

    def resolve_public_key(self, key_id: str) -> Any:
        return self.key.public_key()


async def test_an_independent_signer_is_understood(service: Service):
    headers: dict[str, str] = {"Content-Type": "application/json", "Host": "localhost:8080"}
    headers["Content-Digest"] = service.signed()["content-digest"]
    message = SimpleNamespace(method="POST", url=URL, headers=headers, body=BODY)
    signer: Any = HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=_Resolver(service.key))
    covered = ("@method", "@authority", "@path", "@query", "content-type", "content-digest")
    signer.sign(
        message,
        key_id=service.signer.key_id,
        nonce="nonce-0123456789",
        tag="gateway",
        covered_component_ids=covered,
        use_existing_digest=True,
    )
    sent = {name.lower(): value for name, value in headers.items() if name != "Host"}
    assert await service.ask(sent)


CHANGES: Mapping[str, dict[str, Any]] = {
    "method": {"method": "PUT"},
    "path": {"target": "/v1/embeddings?a=1"},
    "query": {"target": "/v1/chat/completions?a=2"},
    "no query": {"target": "/v1/chat/completions"},
    "encoding of the path": {"target": "/v1/chat%2Fcompletions?a=1"},
    "host": {"host": "localhost:9999"},
    "another host": {"host": "evil.example"},
    "body": {"body": BODY + b" "},
    "cut body": {"body": BODY[:-1]},
    "no body": {"body": b""},
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_changed_request_is_refused(service: Service, change: str):
    with pytest.raises(AuthenticationFailed, match="refused"):
        await service.ask(service.signed(), **CHANGES[change])


HEADER_CHANGES: Mapping[str, dict[str, str]] = {
    "content type": {"content-type": "text/plain"},
    "user added": {"x-user-did": "did:abt:z1eve"},
    "digest of another algorithm": {"content-digest": "md5=:AAAA:"},
    "wrong digest": {"content-digest": "sha-256=:" + base64.b64encode(bytes(32)).decode() + ":"},
    "no signature": {"signature": ""},
    "signature under another label": {"signature": "other=:AAAA:"},
    "signature that is not base64": {"signature": "sig=:A:"},
    "empty signature": {"signature": "sig=::"},
}


@pytest.mark.parametrize("change", HEADER_CHANGES)
async def test_a_changed_header_is_refused(service: Service, change: str):
    with pytest.raises(AuthenticationFailed, match="refused"):
        await service.ask({**service.signed(), **HEADER_CHANGES[change]})


async def test_headers_that_are_there_twice_are_refused(service: Service):
    for name in ("content-type", "content-digest", "signature", "signature-input", "host"):
        headers = service.signed()
        again = [*headers.items(), (name, headers.get(name, "localhost:8080"))]
        with pytest.raises(AuthenticationFailed, match=f"'{name}'"):
            await service.ask(again)


async def test_every_bit_of_the_signature_counts(service: Service):
    headers = service.signed()
    signature = binascii.a2b_base64(headers["signature"][5:-1])
    for place in range(0, len(signature), 7):
        mangled = bytearray(signature)
        mangled[place] ^= 1
        text = f"sig=:{base64.b64encode(bytes(mangled)).decode()}:"
        with pytest.raises(AuthenticationFailed):
            await service.ask({**headers, "signature": text})


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=150,
    deadline=None,
)
@given(data=st.data())
async def test_no_changed_character_of_the_input_is_taken(service: Service, data: st.DataObject):
    headers = service.signed()
    field = headers["signature-input"]
    place = data.draw(st.integers(0, len(field) - 1))
    character = data.draw(
        st.characters(min_codepoint=32, max_codepoint=126).filter(lambda c: c != field[place])
    )
    changed = field[:place] + character + field[place + 1 :]
    try:
        taken = await service.ask({**headers, "signature-input": changed})
    except AuthenticationFailed:
        taken = None
    assert taken is None


def signed_with(service: Service, params: str, covered: tuple[str, ...] | None = None) -> dict[str, str]:
    """Sign with parameters of one's own choice."""
    headers = service.signed()
    names = covered or ("@method", "@authority", "@path", "@query", "content-type", "content-digest")
    text = f"({' '.join(f'{chr(34)}{name}{chr(34)}' for name in names)}){params}"
    values = {**headers, **derived_parts("POST", "localhost:8080", b"/v1/chat/completions?a=1")}
    signature = service.key.sign(signature_base(names, values, text))
    encoded = base64.b64encode(signature).decode()
    return {**headers, "signature-input": f"sig={text}", "signature": f"sig=:{encoded}:"}


def usual(service: Service, **changes: object) -> str:
    now = int(time.time())
    params: dict[str, object] = {
        "created": now,
        "nonce": '"nonce-0123456789"',
        "keyid": f'"{service.signer.key_id}"',
        "tag": '"gateway"',
        **changes,
    }
    return "".join(f";{name}={value}" for name, value in params.items() if value is not None)


async def test_a_nonce_is_taken_once_whatever_else_is_signed_with_it(service: Service):
    now = int(time.time())
    assert await service.ask(signed_with(service, usual(service, created=now)))
    with pytest.raises(AuthenticationFailed, match="used before"):
        await service.ask(signed_with(service, usual(service, created=now, expires=now + 60)))


async def test_signing_by_hand_works(service: Service):
    assert await service.ask(signed_with(service, usual(service)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"created": None}, "'created' is missing"),
        ({"created": '"now"'}, "'created' is missing"),
        ({"nonce": None}, "'nonce' must have"),
        ({"nonce": '"short"'}, "'nonce' must have"),
        ({"keyid": None}, "'keyid' is missing"),
        ({"keyid": '"did:key:z6Mk-somebody-else"'}, "not that of a registered component"),
        ({"alg": '"hmac-sha256"'}, "must be ed25519"),
        ({"alg": '"rsa-pss-sha512"'}, "must be ed25519"),
        ({"created": int(time.time()) + 3600}, "made in the future"),
        ({"created": int(time.time()) - 3600}, "has expired"),
        ({"expires": int(time.time()) - 100}, "has expired"),
        ({"expires": int(time.time()) + 4000}, "'expires' may be 300 s"),
        ({"expires": '"never"'}, "'expires' may be 300 s"),
    ],
)
async def test_parameters_that_are_not_good_are_refused(
    service: Service, changes: dict[str, object], words: str
):
    with pytest.raises(AuthenticationFailed, match=words):
        await service.ask(signed_with(service, usual(service, **changes)))


@pytest.mark.parametrize(
    "missing", ["@method", "@authority", "@path", "@query", "content-type", "content-digest"]
)
async def test_what_must_be_covered_is(service: Service, missing: str):
    all_of_them = ("@method", "@authority", "@path", "@query", "content-type", "content-digest")
    covered = tuple(name for name in all_of_them if name != missing)
    with pytest.raises(AuthenticationFailed, match=f"must cover {missing}"):
        await service.ask(signed_with(service, usual(service), covered))


async def test_two_signatures_with_our_tag_are_refused(service: Service):
    headers = service.signed()
    both = headers["signature-input"] + ", " + headers["signature-input"].replace("sig=", "sig2=", 1)
    with pytest.raises(AuthenticationFailed, match="more than one"):
        await service.ask({**headers, "signature-input": both})


async def test_a_signature_of_a_proxy_beside_ours_does_not_disturb(service: Service):
    headers = service.signed()
    both = headers["signature-input"] + ', proxy=("@method");created=1;keyid="p";tag="proxy"'
    assert await service.ask(
        {**headers, "signature-input": both, "signature": headers["signature"] + ", proxy=:AAAA:"}
    )


async def test_a_host_must_be_ours(context: Context, service: Service):
    async with running(context, authorities=["gw.example"]) as plugin:
        headers = service.signed(url="http://gw.example/v1/chat/completions?a=1")
        assert await plugin.authenticate(Request(headers, host="gw.example"))
        with pytest.raises(AuthenticationFailed, match="'localhost:8080' is not this gateway's address"):
            await plugin.authenticate(Request(service.signed()))
