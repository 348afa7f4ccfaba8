"""Programs prove that they hold the key of a did:key."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256K1, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.sdk.did import PrivateKey, did_of_key, load_key, prove

from .browser import CONFIG, ORIGIN, Browser, both, refusal

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
DID = did_of_key(KEY)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(header: dict[str, Any], payload: dict[str, Any], key: Ed25519PrivateKey = KEY) -> str:
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(payload).encode())}"
    return f"{signed}.{b64(key.sign(signed.encode()))}"


HEADER = {"alg": "EdDSA", "typ": "did-proof+jwt"}


def payload(challenge: str, **changed: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": DID, "aud": ORIGIN, "nonce": challenge, "iat": now, "exp": now + 60, **changed}


def challenge(program: Browser, did: str = DID) -> str:
    return program.post("/sign-in/did/challenge", {"did": did}).json()["challenge"]


@both
@pytest.mark.parametrize("key", [KEY, generate_private_key(SECP256R1())], ids=["ed25519", "p256"])
def test_a_program_signs_in_and_makes_calls(program: Browser, key: PrivateKey, tmp_path: Path) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    loaded = load_key(tmp_path / "key.pem")
    asked = program.post("/sign-in/did/challenge", {"did": did_of_key(loaded)}).json()
    assert asked["audience"] == ORIGIN
    proof = prove(loaded, challenge=asked["challenge"], audience=asked["audience"])
    answer = program.post("/sign-in/did/verify", {"proof": proof})
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    assert tokens["refresh_token"]
    assert tokens["session"].startswith("ses_")
    assert tokens["tenant"] == "default"
    assert "set-cookie" not in answer.headers
    # the session is good: it may add another DID
    other = did_of_key(Ed25519PrivateKey.generate())
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    assert program.post("/sign-in/did/challenge", {"did": other, "add": True}, **bearer).status_code == 200


@both
def test_a_did_is_added_to_an_account(program: Browser) -> None:
    key, more = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()

    def proof(key: Ed25519PrivateKey, **rest: Any) -> str:
        asked = program.post("/sign-in/did/challenge", {"did": did_of_key(key), **rest}, **headers).json()
        return prove(key, challenge=asked["challenge"], audience=asked["audience"])

    headers: dict[str, str] = {}
    first = program.post("/sign-in/did/verify", {"proof": proof(key)}).json()
    headers = {"authorization": f"Bearer {first['access_token']}"}
    added = program.post("/sign-in/did/verify", {"proof": proof(more, add=True)}, **headers)
    assert added.json()["identity"].startswith("idn_")
    again = program.post("/sign-in/did/verify", {"proof": proof(more, add=True)}, **headers)
    assert refusal(again, 409)


def test_a_challenge_is_good_once_at_all_workers(tmp_path: Path) -> None:
    config = {**CONFIG, "gateway": {**CONFIG["gateway"], "database": f"sqlite:///{tmp_path / 'gateway.db'}"}}
    gateways = [Gateway.from_dict(config), Gateway.from_dict(config)]
    with TestClient(gateways[0], base_url=ORIGIN) as one, TestClient(gateways[1], base_url=ORIGIN) as other:
        asker, prover = Browser(one, gateways[0], None), Browser(other, gateways[1], None)
        proof = {"proof": prove(KEY, challenge=challenge(asker), audience=ORIGIN)}
        assert prover.post("/sign-in/did/verify", proof).status_code == 200
        for program in (asker, prover):
            assert "was used" in refusal(program.post("/sign-in/did/verify", proof), 401)


def test_whoever_guesses_is_slowed_down_and_whoever_knows_is_not(tmp_path: Path) -> None:
    settings = {
        **CONFIG["gateway"],
        "database": f"sqlite:///{tmp_path / 'gateway.db'}",
        "failures_per_minute": 3,
    }
    gateway = Gateway.from_dict({**CONFIG, "gateway": settings})
    with TestClient(gateway, base_url=ORIGIN) as client:
        program = Browser(client, gateway, None)
        wrong = {"proof": prove(KEY, challenge="not-a-real-challenge", audience=ORIGIN)}
        answers = [program.post("/sign-in/did/verify", wrong) for _ in range(5)]
        assert (answers[0].status_code, answers[-1].status_code) == (401, 429)
        assert int(answers[-1].headers["retry-after"]) > 0
        good = {"proof": prove(KEY, challenge=challenge(program), audience=ORIGIN)}
        assert program.post("/sign-in/did/verify", good).status_code == 200


def test_the_challenge_of_another_did_is_refused(program: Browser) -> None:
    asked = challenge(program, did_of_key(Ed25519PrivateKey.generate()))
    proof = prove(KEY, challenge=asked, audience=ORIGIN)
    assert "not one of this DID's" in refusal(program.post("/sign-in/did/verify", {"proof": proof}), 401)


FORGED: dict[str, Callable[[str], str]] = {
    "no algorithm": lambda c: token({**HEADER, "alg": "none"}, payload(c)),
    "no algorithm, no signature": lambda c: (
        token({**HEADER, "alg": "none"}, payload(c)).rpartition(".")[0] + "."
    ),
    "algorithm of another key": lambda c: token({**HEADER, "alg": "ES256"}, payload(c)),
    "symmetric algorithm": lambda c: token({**HEADER, "alg": "HS256"}, payload(c)),
    "algorithm as a list": lambda c: token({**HEADER, "alg": ["EdDSA"]}, payload(c)),
    "embedded key": lambda c: token(
        {**HEADER, "jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64(bytes(32))}}, payload(c)
    ),
    "key from elsewhere": lambda c: token({**HEADER, "jku": "https://elsewhere.example/keys"}, payload(c)),
    "critical extension": lambda c: token({**HEADER, "crit": ["b64"], "b64": False}, payload(c)),
    "another key's name": lambda c: token(
        {**HEADER, "kid": did_of_key(Ed25519PrivateKey.generate())}, payload(c)
    ),
    "another type of token": lambda c: token({**HEADER, "typ": "JWT"}, payload(c)),
    "signed by another": lambda c: token(HEADER, payload(c), Ed25519PrivateKey.generate()),
    "wrong audience": lambda c: token(HEADER, payload(c, aud="https://elsewhere.example")),
    "several audiences": lambda c: token(HEADER, payload(c, aud=[ORIGIN, "https://elsewhere.example"])),
    "expired": lambda c: token(HEADER, payload(c, iat=time.time() - 120, exp=time.time() - 60)),
    "issued in the future": lambda c: token(HEADER, payload(c, iat=time.time() + 90, exp=time.time() + 120)),
    "issued long ago": lambda c: token(HEADER, payload(c, iat=time.time() - 900)),
    "good for too long": lambda c: token(HEADER, payload(c, exp=time.time() + 86400)),
    "no expiry": lambda c: token(HEADER, {k: v for k, v in payload(c).items() if k != "exp"}),
    "expiry as text": lambda c: token(HEADER, payload(c, exp="9999999999")),
    "time as truth": lambda c: token(HEADER, payload(c, iat=True)),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_proofs_are_refused(program: Browser, name: str) -> None:
    asked = challenge(program)
    assert refusal(program.post("/sign-in/did/verify", {"proof": FORGED[name](asked)}), 401)
    good = token(HEADER, payload(asked))
    assert program.post("/sign-in/did/verify", {"proof": good}).status_code == 200, (
        "the challenge is still there"
    )


def test_each_byte_of_the_signature_counts(program: Browser) -> None:
    head, _, signature = token(HEADER, payload(challenge(program))).rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    for at in (0, 31, 32, 63):
        changed = bytes(byte ^ (at == i) for i, byte in enumerate(raw))
        refusal(program.post("/sign-in/did/verify", {"proof": f"{head}.{b64(changed)}"}), 401)
    for odd in (signature + "=", signature[:-1] + chr(ord(signature[-1]) + 1), signature + "A", ""):
        assert program.post("/sign-in/did/verify", {"proof": f"{head}.{odd}"}).status_code in {400, 401}


def test_a_signature_of_p256_is_64_bytes(program: Browser) -> None:
    key = generate_private_key(SECP256R1())
    did = did_of_key(key)
    claims = payload(challenge(program, did), iss=did)
    signed = f"{b64(json.dumps({**HEADER, 'alg': 'ES256'}).encode())}.{b64(json.dumps(claims).encode())}"
    der = key.sign(signed.encode(), ECDSA(SHA256()))
    for signature in (der, bytes(64), b"\xff" * 64):
        refusal(program.post("/sign-in/did/verify", {"proof": f"{signed}.{b64(signature)}"}), 401)


def test_a_key_named_twice_is_refused(program: Browser) -> None:
    claims = json.dumps(payload(challenge(program)))
    doubled = claims[:-1] + f', "iss": "{DID}"}}'
    signed = f"{b64(json.dumps(HEADER).encode())}.{b64(doubled.encode())}"
    proof = f"{signed}.{b64(KEY.sign(signed.encode()))}"
    assert "twice" in refusal(program.post("/sign-in/did/verify", {"proof": proof}), 400)
    refusal(program.post("/sign-in/did/verify", {"proof": token(HEADER, {"iat": float("nan")})}), 400)


@pytest.mark.parametrize(
    "did",
    [
        "did:web:gateway.example",
        "did:key:z6Mk",
        "did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme",  # secp256k1
        DID + "x" * 300,
        "did:key:z" + "0" * 48,
        7,
    ],
)
def test_other_dids_are_refused(program: Browser, did: object) -> None:
    refusal(program.post("/sign-in/did/challenge", {"did": did}), 400)


@pytest.mark.parametrize("proof", ["", "a.b", "a.b.c", "e30.e30.", "é.é.é", "..", "x" * 9000, 7, None])
def test_garbage_is_refused(program: Browser, proof: object) -> None:
    assert program.post("/sign-in/did/verify", {"proof": proof}).status_code in {400, 401}


def test_only_keys_that_did_key_is_read_for_are_loaded(tmp_path: Path) -> None:
    pem = generate_private_key(SECP256K1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    with pytest.raises(ValueError, match="openssl genpkey"):
        load_key(tmp_path / "key.pem")
