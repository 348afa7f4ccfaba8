"""The OAuth side of the issuer in the tests: authlib's authorization server, with its state in memory."""

# authlib has no types
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownParameterType=false, reportMissingParameterType=false, reportUnknownArgumentType=false
# pyright: reportIncompatibleMethodOverride=false, reportUntypedBaseClass=false, reportUnknownLambdaType=false
# pyright: reportOptionalMemberAccess=false, reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from authlib.oauth2 import AuthorizationServer, OAuth2Request
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from starlette.responses import Response


@dataclass
class Person:
    """Somebody who can sign in."""

    sub: str
    claims: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Client(ClientMixin):
    """A registered client."""

    id: str
    secret: str | None
    redirect_uri: str

    def get_client_id(self):
        return self.id

    def get_default_redirect_uri(self):
        return self.redirect_uri

    def get_allowed_scope(self, scope):
        return scope

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret):
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == ("none" if self.secret is None else "client_secret_basic")

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == "authorization_code"


@dataclass
class Code:
    """An authorization code that was given out."""

    code: str
    payload: Mapping[str, str]
    person: Person

    def get_redirect_uri(self):
        return self.payload["redirect_uri"]

    def get_scope(self):
        return self.payload["scope"]

    def get_nonce(self):
        return self.payload.get("nonce")

    def get_auth_time(self):
        return int(time.time())

    def get_acr(self):
        return None

    def get_amr(self):
        return None


class Request(OAuth2Request):
    """A request with the fields of its query and its form."""

    def __init__(self, method: str, uri: str, headers: Mapping[str, str], fields: dict[str, str]) -> None:
        # authlib insists on https; what is tested here stays on the loopback
        super().__init__(method, uri.replace("http://", "https://", 1), headers=headers)
        self.payload = BasicOAuth2Payload(fields)
        self._fields = fields

    @property
    def args(self):
        return self._fields if self.method == "GET" else {}

    @property
    def form(self):
        return self._fields if self.method == "POST" else {}


class Authority(AuthorizationServer):
    """Gives codes and exchanges them, with PKCE. `id_token` makes an ID token of its claims."""

    def __init__(
        self, issuer: Callable[[], str], private_key: Callable[[], Any], tampered: dict[str, Any]
    ) -> None:
        super().__init__()
        self.clients: dict[str, Client] = {}
        self.codes: dict[str, Code] = {}
        self.register_token_generator("default", BearerTokenGenerator(lambda *_, **__: "opaque-token"))

        class Codes(AuthorizationCodeGrant):
            TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "none"]  # noqa: RUF012 - authlib's own way

            def save_authorization_code(self, code, request):
                self.server.codes[code] = Code(code, request.payload.data, request.user)

            def query_authorization_code(self, code, client):
                found = self.server.codes.get(code)
                return found if found and found.payload["client_id"] == client.id else None

            def delete_authorization_code(self, authorization_code):
                del self.server.codes[authorization_code.code]

            def authenticate_user(self, authorization_code):
                return authorization_code.person

        class IdTokens(OpenIDCode):
            def exists_nonce(self, nonce, request):
                return False

            def generate_user_info(self, user, scope):
                return {"sub": user.sub, **user.claims, **tampered}

            def resolve_client_private_key(self, client):
                return private_key()

            def get_client_algorithm(self, client):
                return private_key().alg

            def get_client_claims(self, client):
                return {"iss": issuer()}

            def get_encode_header(self, client):
                return {"alg": private_key().alg, "kid": private_key().kid}

        class Pkce(CodeChallenge):
            def get_authorization_code_challenge(self, authorization_code):
                return authorization_code.payload.get("code_challenge")

            def get_authorization_code_challenge_method(self, authorization_code):
                return authorization_code.payload.get("code_challenge_method")

        self.register_grant(Codes, [IdTokens(require_nonce=True), Pkce(required=True)])

    def query_client(self, client_id):
        return self.clients.get(client_id)

    def save_token(self, token, request):
        pass

    def send_signal(self, name, *args, **kwargs):
        pass

    def create_oauth2_request(self, request):
        return request

    def handle_response(self, status, body, headers):
        content = json.dumps(body) if isinstance(body, dict) else body
        return Response(content, status, dict(headers))
