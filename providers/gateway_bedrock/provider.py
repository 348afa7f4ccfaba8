"""Sends calls to Amazon Bedrock's runtime: Converse, and InvokeModel for embeddings and Anthropic's own dialect.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_Operations_Amazon_Bedrock_Runtime.html
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import msgspec

from gateway.errors import ProviderError
from gateway.provider import Credential, Credentials, Failures, Service
from gateway.provider.several import send_each
from gateway.types import Answer, Attempt, Capability, Dialect, RawHeaders
from gateway.upstream import Client, Prepared, Response, UpstreamError
from gateway.upstream.origin import parse_url
from gateway.wire.aws_event_stream import CONTENT_TYPE
from gateway_bedrock import embedding
from gateway_bedrock.invoke import EventsOfFrames, anthropic_body
from gateway_bedrock.sigv4 import Signer, canonical_query

ANTHROPIC: Final[Dialect] = "anthropic.messages"
_HEADS: Final = 1024
_CHECKED_MODEL: Final = "amazon.nova-micro-v1:0"


class BedrockCredential(Credential):
    """An API key, or an access key that signs every request."""

    __slots__ = ("headers", "signer")

    def __init__(
        self,
        secret: str | None,
        headers: RawHeaders,
        signer: Signer | None,
        *,
        renew: Callable[[Credential], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(secret, renew=renew)
        self.headers = headers
        """Those of every request."""
        self.signer = signer


def use_signer(credential: Credential, signer: Signer) -> None:
    """Sign with another access key from now on."""
    assert isinstance(credential, BedrockCredential)
    credential.signer = signer


class BedrockProvider(Service):
    """Bedrock in one region, under the name of its table in plugins.toml."""

    dialects: Mapping[Capability, Dialect] = {
        "chat": "bedrock.converse",
        "embedding": "bedrock.embeddings",
        "image": "bedrock.images",
    }
    passed_on = frozenset({b"content-type", b"x-amzn-requestid", embedding.COUNT_HEADER})
    streams = (CONTENT_TYPE,)

    def __init__(
        self,
        name: str,
        *,
        catalogue: str,
        client: Client,
        credentials: Credentials,
        failures: Failures,
        models: Sequence[str],
        endpoint: str,
    ) -> None:
        super().__init__(
            name,
            catalogue=catalogue,
            client=client,
            credentials=credentials,
            failures=failures,
            models=models,
        )
        origin, path = parse_url(endpoint)
        self._endpoint = endpoint
        self._path = path.rstrip("/")
        self._host = origin.authority

    def speaks(self, dialect: Dialect, model: str) -> bool:
        """Claude takes Anthropic's own requests through InvokeModel."""
        return dialect == ANTHROPIC and "anthropic.claude" in model

    def request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, bytes, RawHeaders]:
        """Choose the operation by dialect, and sign it where the credential is an access key."""
        assert isinstance(credential, BedrockCredential)
        dialect, body, stream = attempt.target.dialect, attempt.body, attempt.call.stream
        if dialect == ANTHROPIC:
            body = anthropic_body(body)
        operation = "converse" if dialect == "bedrock.converse" else "invoke"
        if stream:
            operation = "converse-stream" if operation == "converse" else "invoke-with-response-stream"
        prepared, path = self._head(attempt.target.model, operation, credential)
        return prepared, body, self._signature(path, body, credential)

    def names_model(self, path: str) -> str | None:
        """The part behind `/model/`."""
        _, _, rest = path.partition("/model/")
        return rest.partition("/")[0] or None

    def account_headers(self, credential: Credential) -> RawHeaders:
        """Those of every request; a signature is of one request only."""
        assert isinstance(credential, BedrockCredential)
        return credential.headers

    def own_request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, RawHeaders]:
        """Sign the request where the credential is an access key."""
        prepared, headers = super().own_request(attempt, credential)
        own = attempt.call.own
        assert own is not None
        assert isinstance(credential, BedrockCredential)
        if credential.signer is None:
            return prepared, headers
        signed = credential.signer.sign(
            own.method,
            self._path + own.path,
            {"host": self._host},
            attempt.body,
            now=time.time(),
            query=canonical_query(own.query),
        )
        return prepared, [*headers, *signed]

    async def send(self, attempt: Attempt) -> Answer:
        """Send a call; what Bedrock has in other packages than the dialect is unpacked."""
        dialect = attempt.target.dialect
        if dialect == "bedrock.embeddings":
            return await embedding.send(attempt, super().send)
        if dialect == "bedrock.images":
            return await send_each(attempt, super().send)
        answer = await super().send(attempt)
        if dialect == ANTHROPIC and answer.stream is not None:
            answer.stream = EventsOfFrames(answer.stream, self.name, self.failures)
        return answer

    async def refusal(self, response: Response) -> tuple[ProviderError, bool]:
        """Add the kind of the error, which stands in a header: `ThrottlingException` and the like."""
        error, another_key = await super().refusal(response)
        kind = (response.header(b"x-amzn-errortype") or b"").partition(b":")[0].decode("latin-1")
        if kind:
            error.code = kind
        return error, another_key

    async def check_credential(self, credential: Credential) -> bool:
        """Ask for nothing: Bedrock looks at the credential first, and then at the request."""
        assert isinstance(credential, BedrockCredential)
        model = self.models[0] if self.models else _CHECKED_MODEL
        body = msgspec.json.encode({"messages": []})
        if credential.renews_at <= time.monotonic():
            await credential.renew()
        prepared, path = self._head(model, "converse", credential)
        try:
            headers = self._signature(path, body, credential)
            response = await self.client.send(prepared, body, headers=headers)
            error, _ = await self.refusal(response)
        except UpstreamError as failure:
            raise self.failures.broken(failure) from failure
        if error.code != "ValidationException":
            raise error
        return True

    def _head(self, model: str, operation: str, credential: BedrockCredential) -> tuple[Prepared, str]:
        path = f"/model/{quote(model, safe='-_.~')}/{operation}"
        prepared = credential.prepared.get(path)
        if prepared is None:
            if len(credential.prepared) >= _HEADS:  # clients choose names of models
                credential.prepared.clear()
            prepared = self.client.prepare("POST", self._endpoint + path, credential.headers)
            credential.prepared[path] = prepared
        return prepared, path

    def _signature(self, path: str, body: bytes, credential: BedrockCredential) -> RawHeaders:
        if credential.signer is None:
            return []
        signed = {"content-type": "application/json", "host": self._host}
        return credential.signer.sign("POST", self._path + path, signed, body, now=time.time())
