"""Sends calls to a service that speaks OpenAI's API.

https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CoroutineType
from typing import Any, Final
from urllib.parse import quote

import msgspec

from gateway.provider import Credential, Service
from gateway.provider.openai_api import (
    ALIKE,
    DIALECTS,
    FORMS,
    content_type_of,
    dialect_at,
    realtime_headers,
    realtime_url,
)
from gateway.types import Answer, Attempt, Capability, Dialect, JobRequest, RawHeaders
from gateway.upstream import Prepared
from gateway.wire import PLAIN, WIRES, Given
from gateway_openai.presets import Preset
from gateway_openai.strange import without

_CHATS: Final[frozenset[Dialect]] = frozenset({"openai.chat", "openrouter.chat"})
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_messages = msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode
_DEVELOPER: Final = msgspec.Raw(b'"developer"')
_SYSTEM: Final = msgspec.Raw(b'"system"')


class _Video(msgspec.Struct):
    id: str


_decode_video = msgspec.json.Decoder(_Video).decode


class OpenAIProvider(Service):
    """One service, under the name of its table in plugins.toml."""

    dialects: Mapping[Capability, Dialect] = DIALECTS
    passed_on = frozenset({b"content-type", b"openai-processing-ms", b"openai-version"})
    preset: Preset

    def speaks(self, dialect: Dialect, model: str) -> bool:
        """What has pictures, recordings or films takes every kind of request about them; and what has chats, plain ones."""
        del model
        return dialect in ALIKE and ALIKE[dialect] in self.dialects.values()

    def dialect_of(self, method: str, path: str) -> tuple[Dialect, Given] | None:
        """Every endpoint that makes calls is one; rerank only where it speaks as clients do."""
        if method == "POST" and path == "/rerank" and self.dialects.get("rerank") in WIRES:
            return self.dialects["rerank"], PLAIN
        dialect = dialect_at(method, path)
        return (dialect, PLAIN) if dialect else None

    def send(self, attempt: Attempt) -> CoroutineType[Any, Any, Answer]:
        """Send a call, or open a session."""
        if attempt.target.dialect == "openai.realtime":
            return self._session(attempt)
        return super().send(attempt)

    async def _session(self, attempt: Attempt) -> Answer:
        from gateway.provider.realtime import open_session  # noqa: PLC0415 - slow to import, and rarely needed

        url = realtime_url(self.preset.base_url, attempt.target.model)
        return await open_session(
            self,
            attempt.call.principal.tenant,
            lambda one: (url, realtime_headers(self.account_headers(one), attempt.call)),
        )

    def request(self, attempt: Attempt, credential: Credential) -> tuple[Prepared, bytes, RawHeaders]:
        """Choose the head by the dialect."""
        call, dialect, body = attempt.call, attempt.target.dialect, attempt.body
        if call.stream and not (self.preset.takes_stream_options or dialect in FORMS):
            body = _without_stream_options(body)
        if dialect in _CHATS and call.dialect != "openai.chat" and not self.preset.newest_words:
            body = _in_common_words(body)
        if dialect in _CHATS:
            body = without(body, self.preset.strange)
        if dialect == "openai.video_remix":
            return self._remix(body, credential)
        headers = [(b"content-type", content_type_of(attempt))] if dialect in FORMS else []
        return credential.prepared[dialect], body, headers

    async def job(self, request: JobRequest) -> Answer:
        """Ask after a video job with the key that started it."""
        path = f"/videos/{quote(request.id, safe='')}"
        if request.action == "content":
            path += "/content" + (f"?variant={quote(request.variant, safe='')}" if request.variant else "")
        method = "DELETE" if request.action == "delete" else "GET"
        return await self.fetch(
            lambda credential: (self._head(method, path, credential), []),
            tenant=request.tenant,
            mark=request.credential,
        )

    def _head(self, method: str, path: str, credential: Credential) -> Prepared:
        return self.client.prepare(method, self.preset.base_url + path, self.headers(credential.secret))

    def _remix(self, body: bytes, credential: Credential) -> tuple[Prepared, bytes, RawHeaders]:
        fields = _decode_fields(body)
        fields.pop("model")
        video = _decode_video(fields.pop("video")).id
        return (
            self._head("POST", f"/videos/{quote(video, safe='')}/remix", credential),
            msgspec.json.encode(fields),
            [],
        )

    async def list_models(self) -> Sequence[str]:
        """Return the names of the models, where the service has a list of them."""
        if not self.preset.lists_models:
            return ()
        return await self.listed(self.credentials.any().prepared["models"])

    async def check_credential(self, credential: Credential) -> bool:
        """Ask for the list of models, where the service has such a list."""
        if self.preset.lists_models:
            await self.probe(credential.prepared["models"])
        return self.preset.lists_models


def _without_stream_options(body: bytes) -> bytes:
    fields = _decode_fields(body)
    if fields.pop("stream_options", None) is None:
        return body
    return msgspec.json.encode(fields)


def _in_common_words(body: bytes) -> bytes:
    """Say what the gateway has translated in the words that every compatible service knows."""
    fields = _decode_fields(body)
    limit = fields.pop("max_completion_tokens", None)
    if limit is not None:
        fields["max_tokens"] = limit
    messages = _decode_messages(fields["messages"])
    for message in messages:
        if message["role"] == _DEVELOPER:
            message["role"] = _SYSTEM
    fields["messages"] = msgspec.Raw(msgspec.json.encode(messages))
    return msgspec.json.encode(fields)
