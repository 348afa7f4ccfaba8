"""Chains of receipts: whatever is cut out of one, put elsewhere, forged or rewritten is found."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey
from msgspec.structs import replace

from gateway.sdk.receipts import ALGORITHM, Facts, Problem, Refused, encode, hash_of, verify

KEY = OKPKey.generate_key("Ed25519", {"kid": "one"})
OTHER = OKPKey.generate_key("Ed25519", {"kid": "one"})
JWKS = {"keys": [KEY.as_dict(private=False)]}

FACTS = Facts(
    account="acct_a",
    number=1,
    previous=None,
    call="call_1",
    request="req_1",
    model="fast",
    provider="mock",
    upstream_model="fast-1",
    usage={"prompt_tokens": 3, "seconds": "1.5"},
    estimated=False,
    price_version="2026-01",
    charge="1500",
    received_at="2026-11-01T10:00:00.000Z",
    ended_at="2026-11-01T10:00:01.000Z",
)


def sign(facts: Facts, key: OKPKey = KEY) -> str:
    return jws.serialize_compact({"alg": ALGORITHM, "kid": "one"}, encode(facts), key, algorithms=[ALGORITHM])


def chain(length: int, account: str = "acct_a") -> list[str]:
    receipts: list[str] = []
    for number in range(1, length + 1):
        previous = hash_of(receipts[-1]) if receipts else None
        facts = replace(FACTS, account=account, number=number, previous=previous, call=f"call_{number}")
        receipts.append(sign(facts))
    return receipts


CHAIN, ANOTHER = chain(8), chain(8, "acct_b")


def test_a_whole_chain_is_good_and_so_is_what_follows_from_anywhere() -> None:
    assert verify(CHAIN, JWKS, whole=True) is None
    assert verify(CHAIN[3:], JWKS) is None
    assert verify([], JWKS) is None
    assert verify(CHAIN[3:], JWKS, whole=True) == Problem(0, "it is number 4 of its account, and should be 1")


@given(st.lists(st.booleans(), min_size=16, max_size=16).map(lambda picks: picks))
def test_accounts_may_be_mixed_as_long_as_each_is_in_order(picks: list[bool]) -> None:
    sources = {True: iter(CHAIN), False: iter(ANOTHER)}
    mixed = [receipt for pick in picks if (receipt := next(sources[pick], None)) is not None]
    assert verify(mixed, JWKS, whole=True) is None


@given(st.lists(st.sampled_from(range(8)), min_size=2, max_size=10))
def test_only_what_is_in_order_and_without_gaps_is_good(places: list[int]) -> None:
    in_order = all(after == before + 1 for before, after in itertools.pairwise(places))
    assert (verify([CHAIN[place] for place in places], JWKS) is None) == in_order


@given(st.integers(0, 7), st.data())
def test_one_changed_character_is_found(place: int, data: st.DataObject) -> None:
    receipt = CHAIN[place]
    at = data.draw(st.integers(0, len(receipt) - 1))
    other = data.draw(st.sampled_from("abcXYZ019-_.").filter(lambda character: character != receipt[at]))
    forged = [*CHAIN[:place], receipt[:at] + other + receipt[at + 1 :], *CHAIN[place + 1 :]]
    if at == len(receipt) - 1 and place == 7:
        return  # the last character of the last one holds bits that base64 does not use, and nothing hangs on it
    assert verify(forged, JWKS) is not None


@given(st.integers(0, 6))
def test_a_receipt_that_its_signer_rewrites_does_not_fit_the_next(place: int) -> None:
    payload = json.loads(jws.extract_compact(CHAIN[place].encode()).payload)
    facts = replace(FACTS, number=place + 1, previous=payload["previous"], call=payload["call"], charge="1")
    rewritten = [*CHAIN[:place], sign(facts), *CHAIN[place + 1 :]]
    assert verify(rewritten, JWKS) == Problem(
        place + 1, "it does not follow the receipt before it: one of the two was replaced"
    )


def test_what_another_key_signed_is_refused() -> None:
    assert verify([sign(FACTS, OTHER)], JWKS) == Problem(0, "its signature is not that of any of the keys")


@pytest.mark.parametrize("alg", ["none", "HS256"])
def test_no_other_algorithm_is_taken(alg: str) -> None:
    head, payload, signature = CHAIN[0].split(".")
    del head
    forged_head = "eyJhbGciOiJub25lIn0" if alg == "none" else "eyJhbGciOiJIUzI1NiIsImtpZCI6Im9uZSJ9"
    assert verify([f"{forged_head}.{payload}.{signature}"], JWKS) is not None
    assert verify([f"{forged_head}.{payload}."], JWKS) is not None


def test_something_else_that_the_key_signed_is_no_receipt() -> None:
    token = jws.serialize_compact(
        {"alg": ALGORITHM, "kid": "one"}, b'{"number":1}', KEY, algorithms=[ALGORITHM]
    )
    problem = verify([token], JWKS)
    assert problem is not None
    assert problem.message.startswith("it is signed, but no receipt")


def test_a_first_receipt_has_none_before_it() -> None:
    assert verify([sign(replace(FACTS, previous="x"))], JWKS) is not None
    assert verify([sign(replace(FACTS, number=2))], JWKS) is not None


@pytest.mark.parametrize("keys", [{}, {"keys": [{"kty": "none"}]}, {"keys": 1}])
def test_keys_that_are_none_are_said_so(keys: dict[str, object]) -> None:
    with pytest.raises(Refused, match="the keys are not a JWK set"):
        verify(CHAIN, keys)


def test_receipts_are_canonical() -> None:
    text = encode(replace(FACTS, model="schnell-é", usage={"seconds": "1", "images": 2})).decode()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert '"usage":{"images":2,"seconds":"1"}' in text
