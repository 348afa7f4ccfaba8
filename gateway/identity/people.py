"""What the ways to sign in hand over, and what they get back."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from gateway.errors import PermissionDenied
from gateway.store.identities import Identity, IdentityKind
from gateway.store.sessions import Session
from gateway.types import Principal

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["Client", "Identity", "IdentityKind", "Proof", "Rules", "Session", "SignedIn", "Visitor"]


class Proof(Struct, frozen=True, kw_only=True):
    """What somebody has proved to be: checked completely by whoever makes it."""

    kind: IdentityKind
    subject: str
    """Unique within its kind: `ISSUER SUB` for oidc, the DID, the id of a passkey's credential in base64url."""
    label: str
    """For people: an e-mail address, a shortened DID, the name of a device."""
    data: dict[str, Any] = {}
    """What the kind needs to check the next proof: a passkey's public key and counter. Plain JSON."""
    name: str | None = None
    email: str | None = None
    email_verified: bool = False
    locale: str | None = None


class Client(Struct, frozen=True, kw_only=True):
    """From where somebody signs in."""

    address: str | None = None
    agent: str | None = None

    @classmethod
    def of(cls, request: Request) -> Client:
        """Tell it of a request."""
        address = request.client.host if request.client else None
        return cls(address=address, agent=request.headers.get("user-agent"))


class SignedIn(Struct, frozen=True, kw_only=True):
    """A new pair of tokens, shown once."""

    session: Session
    access: str
    """`gs_…`, short-lived; sent as a bearer token or held in a cookie."""
    refresh: str
    """`gr_…`; good for one refresh. Used a second time, it ends the session: somebody has stolen it."""

    def __repr__(self) -> str:
        return f"SignedIn({self.session.id!r})"


class Visitor(Struct, frozen=True, kw_only=True):
    """Whoever is signed in with the browser that asks for a page."""

    principal: Principal
    csrf: str
    """Goes into each form of the page as the field `csrf_token`."""
    headers: list[tuple[bytes, bytes]] = []
    """For the answer: the cookies of a session that was refreshed."""

    def check(self, token: str | None) -> None:
        """Compare what a form carried. Raises `PermissionDenied`."""
        if not hmac.compare_digest((token or "").encode(), self.csrf.encode()):
            raise PermissionDenied(
                "The form belongs to another sign-in. Open the page again, and repeat.", code="csrf"
            )


class Rules(Struct, frozen=True, kw_only=True):
    """How people come in, from `[gateway.identity]`."""

    sign_up: Literal["invited", "open", "personal"] = "invited"
    sign_up_tenant: str = "default"
    sign_up_role: str = "member"
    operator_tenant: str = "default"
    access_minutes: float = 15
    session_days: float = 30
    sign_ins_per_minute: int = 60
    public_url: str = "http://localhost:8080"
