"""Vaults with keys of their own, and who changes what is in them."""

from __future__ import annotations

import pytest

from gateway.store.audit import Actor
from gateway.vault import Vault
from gateway.vault.given import API_KEY, Given, hint_of
from gateway.vault.master import new_master_key

ANN = Actor(kind="command", id="ann")
SECRET = "sk-fake-0123456789-abcdefghij"


def of_key(secret: str) -> Given:
    return Given(kind=API_KEY, fields={API_KEY: secret}, hint=hint_of(secret))


@pytest.fixture
def key() -> str:
    return new_master_key()


@pytest.fixture
def vault(key: str) -> Vault:
    return Vault([key])
