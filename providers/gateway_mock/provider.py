"""The mock provider: answers in the process, with no socket anywhere."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Mapping, Sequence

from pydantic import Field

from gateway import Plugin, PluginConfig, hookimpl
from gateway.errors import InvalidRequest, ProviderError
from gateway.protocols import Provider
from gateway.provider.openai_api import ALIKE
from gateway.types import Answer, Attempt, Capability, Dialect, JobRequest
from gateway_mock import embeddings, moderations, request
from gateway_mock.chat import Completion
from gateway_mock.media import CAPABILITIES, Media
from gateway_mock.realtime import RealtimeSession
from gateway_mock.reply import decide
from gateway_mock.script import MODELS, Rule, Script, find
from gateway_mock.stream import EventStream

_FINAL = frozenset({400, 404, 413, 422})
_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
_SERVER_ERROR = 500
_CODES: Mapping[int, tuple[str, str]] = {
    400: ("invalid_request_error", "bad_request"),
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("rate_limit_error", "rate_limit_exceeded"),
    500: ("server_error", "internal_error"),
    503: ("server_error", "service_unavailable"),
}


class MockConfig(PluginConfig):
    """Settings of the mock provider."""

    rules: tuple[Rule, ...] = Field(
        default=(), description="What to do for which requests; the first rule that matches counts."
    )
    hang_seconds: float = Field(
        default=300.0, gt=0, description="A call that hangs fails with a timeout after so many seconds."
    )


class Mock(Plugin[MockConfig]):
    """A provider that answers by itself: deterministic and scriptable."""

    id = "provider.mock"
    Config = MockConfig

    @hookimpl
    def register_providers(self) -> Sequence[Provider]:
        return [MockProvider(self.name, self.config)]


class MockProvider:
    """Speaks OpenAI's chat completions, embeddings, moderations, images, speech, transcriptions, videos and realtime sessions."""

    dialects: Mapping[Capability, Dialect] = {
        "chat": "openai.chat",
        "embedding": "openai.embeddings",
        "moderation": "openai.moderations",
        "image": "openai.images",
        "speech": "openai.speech",
        "transcription": "openai.transcriptions",
        "video": "openai.videos",
        "realtime": "openai.realtime",
    }
    catalogue = "mock"
    models: Sequence[str] = tuple(MODELS)

    def __init__(self, name: str, config: MockConfig) -> None:
        self.name = name
        self._rules = config.rules
        self._hang_seconds = config.hang_seconds
        self._media = Media(
            name,
            find=lambda model, text: find(self._rules, model, text),
            begin=self._begin,
            whole=self._whole,
            hang_seconds=config.hang_seconds,
        )

    def speaks(self, dialect: Dialect, model: str) -> bool:
        """Every kind of request for pictures, sound and films."""
        del model
        return dialect in ALIKE

    def job(self, request: JobRequest) -> Awaitable[Answer]:
        """Tell about a video job, send the film, or delete it."""
        return self._media.job(request)

    async def send(self, attempt: Attempt) -> Answer:
        """Answer as the script for this request says."""
        try:
            if attempt.call.capability == "embedding":
                return await self._embed(attempt)
            if attempt.call.capability == "moderation":
                return await self._moderate(attempt)
            if attempt.call.capability == "realtime":
                return RealtimeSession(self.name, attempt.target.model, self._rules).answer()
            if attempt.call.capability in CAPABILITIES:
                return await self._media.send(attempt)
            return await self._chat(attempt)
        except InvalidRequest as error:
            raise ProviderError(
                error.message,
                provider=self.name,
                can_fall_back=False,
                status=error.status,
                type=error.type,
                code=error.code,
                param=error.param,
            ) from None

    async def _chat(self, attempt: Attempt) -> Answer:
        chat = request.read(attempt.body)
        model = attempt.target.model
        script, message = find(self._rules, model, chat.last_user_message())
        await self._begin(script)
        fingerprint = hashlib.sha256(attempt.body).hexdigest()
        completion = Completion(
            fingerprint=fingerprint,
            model=model,
            request=chat,
            reply=decide(chat, script, message, model, fingerprint),
            reports_usage=script.usage,
            cached_tokens=script.cached_tokens,
        )
        if not attempt.call.stream:
            return self._whole(script, completion.body())
        stream = EventStream(completion.events(), script, provider=self.name, hang_seconds=self._hang_seconds)
        return Answer(200, [_EVENTS], stream=stream, close=stream.close)

    async def _embed(self, attempt: Attempt) -> Answer:
        wanted = embeddings.read(attempt.body)
        script, _ = find(self._rules, attempt.target.model, wanted.last_text())
        await self._begin(script)
        return self._whole(script, embeddings.body(wanted, attempt.target.model, reports_usage=script.usage))

    async def _moderate(self, attempt: Attempt) -> Answer:
        given = moderations.read(attempt.body)
        script, _ = find(self._rules, attempt.target.model, given.texts()[-1])
        await self._begin(script)
        return self._whole(script, moderations.body(given, attempt.target.model))

    async def _begin(self, script: Script) -> None:
        """Do what happens before the first byte: wait, hang, fail."""
        if script.delay_ms:
            await asyncio.sleep(script.delay_ms / 1000)
        if script.hang_after == 0:
            await asyncio.sleep(self._hang_seconds)
            raise ProviderError(
                f"{self.name} did not answer in time.",
                provider=self.name,
                status=504,
                code="upstream_timeout",
            )
        if script.status is not None:
            raise self._failure(script, script.status)

    def _failure(self, script: Script, status: int) -> ProviderError:
        kind, code = _CODES.get(status) or _CODES[500 if status >= _SERVER_ERROR else 400]
        wait = [] if script.retry_after is None else [(b"retry-after", b"%d" % script.retry_after)]
        return ProviderError(
            script.message or f"The mock provider was told to fail with status {status}.",
            provider=self.name,
            can_fall_back=status not in _FINAL,
            status=status,
            type=kind,
            code=script.code or code,
            headers=wait,
        )

    def _whole(self, script: Script, body: bytes) -> Answer:
        """Do what can go wrong with an answer in one piece."""
        if script.cut_after is not None:
            raise ProviderError(
                f"{self.name} closed the connection in the middle of its answer.",
                provider=self.name,
                code="upstream_cut",
            )
        if script.empty:
            body = b""
        elif script.malformed:
            body = body[: len(body) // 2]
        return Answer(200, [_JSON], body=body)
