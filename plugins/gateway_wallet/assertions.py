"""What an authenticator signs: checked by py_webauthn, and against what was kept of the passkey."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from msgspec import Struct
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException

from gateway.errors import AuthenticationFailed, InvalidRequest

_LONGEST_ID: Final = 370
"""Bytes of a credential's id, for which there is room; no known authenticator has more than 256."""

_MALFORMED: Final = (WebAuthnException, ValueError, KeyError, TypeError, IndexError)
"""What py_webauthn raises for data that is not as it should be; it does not wrap everything in errors of its own."""


class RelyingParty(Struct, frozen=True, kw_only=True):
    """For whom passkeys are made: the host of the gateway, and the origin of its pages."""

    id: str
    origin: str

    def verify_attestation(self, credential: object, *, challenge: bytes) -> tuple[str, dict[str, Any]]:
        """Return the id of a new credential, and what is to be kept of it. Raises `AuthenticationFailed`."""
        try:
            parsed = parse_registration_credential_json(cast("dict[str, Any]", credential))
            verified = verify_registration_response(
                credential=parsed,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
            )
        except _MALFORMED as error:
            raise _refusal(error) from None
        if len(verified.credential_id) > _LONGEST_ID:
            raise InvalidRequest(
                f"The id of this passkey is longer than {_LONGEST_ID} bytes: use another one."
            )
        return bytes_to_base64url(verified.credential_id), {
            "public_key": bytes_to_base64url(verified.credential_public_key),
            "sign_count": verified.sign_count,
            "backup_eligible": verified.credential_device_type.value == "multi_device",
            "backed_up": verified.credential_backed_up,
            "user_verified": verified.user_verified,
            "aaguid": verified.aaguid,
            "transports": [transport.value for transport in parsed.response.transports or ()],
        }

    def verify_assertion(
        self, credential: object, *, challenge: bytes, known: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return what is to be kept from now on. Raises `AuthenticationFailed`, also when the counter went back."""
        try:
            parsed = parse_authentication_credential_json(cast("dict[str, Any]", credential))
            verified = verify_authentication_response(
                credential=parsed,
                expected_challenge=challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=base64url_to_bytes(known["public_key"]),
                credential_current_sign_count=known["sign_count"],
            )
        except _MALFORMED as error:
            raise _refusal(error) from None
        handle = parsed.response.user_handle
        if handle is None or bytes_to_base64url(handle) != known["handle"]:
            raise AuthenticationFailed("This passkey was made for another account.", code="passkey_refused")
        if (verified.credential_device_type.value == "multi_device") != known["backup_eligible"]:
            raise AuthenticationFailed(
                "This passkey says something else about being backed up than when it was made.",
                code="passkey_refused",
            )
        return {
            **known,
            "sign_count": verified.new_sign_count,
            "backed_up": verified.credential_backed_up,
            "user_verified": verified.user_verified,
        }


def challenge_of(credential: object) -> bytes:
    """Return the challenge that a credential answers. Raises `InvalidRequest`."""
    try:
        response = cast("dict[str, dict[str, str]]", credential)["response"]
        return parse_client_data_json(base64url_to_bytes(response["clientDataJSON"])).challenge
    except _MALFORMED:
        raise InvalidRequest(
            "'credential' must be what the browser gave, as JSON.", param="credential"
        ) from None


def id_of(credential: object) -> str:
    """Return the id that a credential says it has. Raises `InvalidRequest`."""
    match credential:
        case {"id": str(name)}:
            return name
        case _:
            raise InvalidRequest("'credential' must be what the browser gave, as JSON.", param="credential")


def _refusal(error: Exception) -> AuthenticationFailed:
    said = f": {error}" if isinstance(error, WebAuthnException) else "."
    return AuthenticationFailed(f"The passkey could not be verified{said}", code="passkey_refused")
