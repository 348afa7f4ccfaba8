"""Envelopes open with their key, at their place, unchanged; and in no other way."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.vault import CannotOpen, Place, Vault
from gateway.vault.envelope import MasterKey, key_id, rewrap, seal, sealed_part, unseal
from gateway.vault.master import new_master_key

PLACE = Place("credential", "acme", "openai", "crd_1")
KEY = MasterKey(bytes(range(32)))
VAULT = Vault([base64.b64encode(bytes(range(32))).decode()])
OTHER = MasterKey(bytes(32))
places = st.builds(Place, *[st.text(max_size=12)] * 4)


@given(secret=st.binary(max_size=300), place=places)
def test_what_is_sealed_opens(secret: bytes, place: Place):
    sealed = seal(secret, KEY, place.bound())
    assert unseal(sealed, KEY, place.bound()) == secret
    assert key_id(sealed) == KEY.id
    assert len(secret) < 4 or secret not in sealed


@given(one=places, other=places)
def test_it_opens_nowhere_else(one: Place, other: Place):
    assume(one != other)
    with pytest.raises(CannotOpen):
        unseal(seal(b"secret", KEY, one.bound()), KEY, other.bound())


@given(data=st.data())
def test_a_changed_bit_is_noticed(data: st.DataObject):
    sealed = bytearray(seal(b"secret", KEY, PLACE.bound()))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(CannotOpen):
        VAULT.open(bytes(sealed), PLACE)


@given(length=st.integers(0, 96))
def test_what_is_cut_short_is_no_envelope(length: int):
    with pytest.raises(CannotOpen, match="no envelope"):
        key_id(seal(b"", KEY, PLACE.bound())[:length])


def test_parts_of_two_envelopes_do_not_fit_together():
    one, other = (seal(secret, KEY, PLACE.bound()) for secret in (b"first", b"other"))
    mixed = one[: -len(sealed_part(one))] + sealed_part(other)
    with pytest.raises(CannotOpen):
        unseal(mixed, KEY, PLACE.bound())


def test_the_same_secret_never_looks_the_same():
    assert len({seal(b"secret", KEY, PLACE.bound()) for _ in range(100)}) == 100


def test_another_master_key_leaves_the_secret_as_it_is():
    sealed = seal(b"secret", KEY, PLACE.bound())
    moved = rewrap(sealed, KEY, OTHER, PLACE.bound())
    assert sealed_part(moved) == sealed_part(sealed)
    assert unseal(moved, OTHER, PLACE.bound()) == b"secret"
    with pytest.raises(CannotOpen):
        unseal(moved, KEY, PLACE.bound())
    with pytest.raises(CannotOpen):
        rewrap(sealed, KEY, OTHER, Place("credential", "evil", "openai", "crd_1").bound())


def test_the_id_of_a_key_tells_nothing_of_it():
    key = os.urandom(32)
    assert MasterKey(key).id == MasterKey(key).id
    assert MasterKey(key).id not in key.hex()
    assert key.hex() not in repr(MasterKey(key))


def test_the_first_key_seals_and_all_open():
    new, old = new_master_key(), new_master_key()
    sealed, _ = Vault([old]).seal("secret", PLACE)
    vault = Vault([new, old])
    assert vault.open(sealed, PLACE) == "secret"
    assert vault.seal("secret", PLACE)[1] == vault.key_ids[0]
    with pytest.raises(CannotOpen, match="previous_keys"):
        Vault([new]).open(sealed, PLACE)
