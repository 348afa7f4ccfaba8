"""did:key, against the vectors of the specification."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.sdk.did_key import ED25519, P256, base58, did_of, from_base58, key_of

SPECIFIED = {
    "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp": ED25519,
    "did:key:z6MkjchhfUsD6mmvni8mCdXHw216Xrm9bQe2mBH1P5RDjVJG": ED25519,
    "did:key:zDnaerx9CtbPJ1q36T5Ln5wYt3MQYeGRG5ehnPAmxcf5mDZpv": P256,
    "did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169": P256,
}


@pytest.mark.parametrize("did", SPECIFIED)
def test_vectors(did: str):
    kind, key = key_of(did)
    assert kind == SPECIFIED[did]
    assert did_of(key, kind) == did


@given(st.binary(max_size=60))
def test_base58_comes_back(data: bytes):
    assert from_base58(base58(data)) == data


@pytest.mark.parametrize(
    "did",
    [
        "",
        "did:key:6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
        "did:web:example.com",
        "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooW0",
        "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDoo",
        "did:key:z" + "1" * 200,
    ],
)
def test_what_is_none_is_refused(did: str):
    with pytest.raises(InvalidRequest):
        key_of(did)
