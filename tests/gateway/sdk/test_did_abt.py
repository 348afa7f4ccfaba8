"""did:abt, against the vector of its specification."""

from __future__ import annotations

from gateway.sdk.did_abt import ACCOUNT, APPLICATION, abt_did

KEY = bytes.fromhex("E4852B7091317E3622068E62A5127D1FB0D4AE2FC50213295E10652D2F0ABFC7")


def test_vector():
    assert abt_did(KEY, APPLICATION) == "zNKtCNqYWLYWYW3gWRA1vnRykfCBZYHZvzKr"


def test_the_type_is_part_of_it():
    assert abt_did(KEY, ACCOUNT).startswith("z1")
