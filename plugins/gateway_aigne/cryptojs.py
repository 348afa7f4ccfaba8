"""How AIGNE's command line wants a secret handed over: AES as CryptoJS does it with a passphrase.

That is OpenSSL's old format: `Salted__`, eight bytes of salt, AES-256-CBC with PKCS #7, key and IV from MD5 rounds
(EVP_BytesToKey). The passphrase comes from PBKDF2-HMAC-SHA512. It protects against nobody who has read the answer, which
holds everything needed to open it; that is up to TLS.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_ROUNDS: Final = 256
_KEY, _IV, _SALT = 32, 16, 8
_BLOCK_BITS: Final = 128


def encrypt(text: str, *, salt: str, challenge: str) -> str:
    """Encrypt for who knows `salt` (the id of the key) and `challenge`; base64."""
    passphrase = hashlib.pbkdf2_hmac("sha512", challenge.encode(), salt.encode(), _ROUNDS, _KEY).hex()
    own_salt = secrets.token_bytes(_SALT)
    key, iv = _derived(passphrase.encode(), own_salt)
    padder = PKCS7(_BLOCK_BITS).padder()
    padded = padder.update(text.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    data = encryptor.update(padded) + encryptor.finalize()
    return base64.b64encode(b"Salted__" + own_salt + data).decode()


def _derived(passphrase: bytes, salt: bytes) -> tuple[bytes, bytes]:
    made = block = b""
    while len(made) < _KEY + _IV:
        block = hashlib.md5(block + passphrase + salt, usedforsecurity=False).digest()
        made += block
    return made[:_KEY], made[_KEY : _KEY + _IV]
