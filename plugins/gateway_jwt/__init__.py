"""JSON Web Tokens of OpenID Connect issuers, and browser sign-in through them: `auth.jwt`."""

from gateway_jwt.plugin import Jwt

__all__ = ["Jwt"]
