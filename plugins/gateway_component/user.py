"""The user for whom a component calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from gateway.errors import AuthenticationFailed

if TYPE_CHECKING:
    from gateway.types import Principal

_LONGEST: Final = 200


def for_user(principal: Principal, user: bytes | None) -> Principal:
    """The component's principal, calling for a user whom it has named in what it signed."""
    if not user:
        return principal
    name = user.decode("latin-1")
    if len(name) > _LONGEST or not name.isprintable():
        raise AuthenticationFailed(
            f"The user's DID must be printable and at most {_LONGEST} characters long.", code="invalid_user"
        )
    return replace(principal, user=name)
