"""The vault: seals secrets with the first master key, opens them with any."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.vault import envelope
from gateway.vault.envelope import CannotOpen, MasterKey
from gateway.vault.master import read_keys, run_command

_SETTING = "gateway.vault.master_key"
_COMMAND = "gateway.vault.master_key_command"


class Place(Struct, frozen=True, array_like=True):
    """What a secret is for. It opens for nothing else: no other row, tenant or provider."""

    purpose: str
    tenant: str
    provider: str
    id: str

    def bound(self) -> bytes:
        """The bytes that an envelope is bound to; different places never give the same."""
        return msgspec.json.encode(self)


class Vault:
    """Seals and opens. Without a master key it does neither."""

    def __init__(self, keys: Sequence[str] = (), *, command: Sequence[str] = ()) -> None:
        """Take master keys in base64, the first of which seals. Raises `ConfigError`."""
        self._keys = {key.id: key for key in read_keys(keys, _SETTING)}
        self._command = tuple(command)

    async def startup(self) -> None:
        """Run the command that prints master keys, where there is one. Raises `ConfigError`."""
        if self._command and not self._keys:
            self._keys = {
                key.id: key for key in read_keys(await run_command(self._command, _COMMAND), _COMMAND)
            }

    @property
    def configured(self) -> bool:
        """Whether the settings name a master key."""
        return bool(self._keys or self._command)

    @property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of all master keys; the first seals."""
        return tuple(self._keys)

    def current(self) -> MasterKey:
        """The key that seals. Raises `InvalidRequest` (409) when there is none: nothing is ever stored in plain text."""
        if not self._keys:
            raise InvalidRequest(
                "The vault has no master key, and without one no credential is stored. Make one with "
                "`gateway vault init`, name it in [gateway.vault] and start the gateway again.",
                status=409,
                code="vault_not_configured",
            )
        return next(iter(self._keys.values()))

    def seal(self, secret: str, place: Place) -> tuple[bytes, str]:
        """Seal a secret; return the envelope and the id of the master key. Raises `InvalidRequest` without one."""
        key = self.current()
        return envelope.seal(secret.encode(), key, place.bound()), key.id

    def open(self, sealed: bytes, place: Place) -> str:
        """Return the secret. Raises `CannotOpen`."""
        return envelope.unseal(sealed, self._key_of(sealed), place.bound()).decode()

    def rewrap(self, sealed: bytes, place: Place) -> bytes:
        """Return the same secret under the key that seals now. Raises `CannotOpen`, and `InvalidRequest` without one."""
        return envelope.rewrap(sealed, self._key_of(sealed), self.current(), place.bound())

    def _key_of(self, sealed: bytes) -> MasterKey:
        wanted = envelope.key_id(sealed)
        key = self._keys.get(wanted)
        if key is None:
            raise CannotOpen(
                f"It is sealed with the master key {wanted}, which is not in [gateway.vault]; "
                "add that key to previous_keys."
            )
        return key
