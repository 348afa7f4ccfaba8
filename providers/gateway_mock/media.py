"""Answers calls for pictures, sound and films."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from gateway.errors import ProviderError
from gateway.types import Answer, Attempt, Capability, JobRequest, RawHeaders
from gateway_mock import films, pictures, sound
from gateway_mock.script import Script
from gateway_mock.stream import EventStream

CAPABILITIES: Final = frozenset[Capability]({"image", "speech", "transcription", "video"})

Find = Callable[[str, str], tuple[Script, str]]
"""Reads the script for a model out of a text, which it returns without its directives."""


class Media:
    """One mock's way with them. `begin` does what happens before the first byte, `whole` what can go wrong after it."""

    def __init__(
        self,
        name: str,
        *,
        find: Find,
        begin: Callable[[Script], Awaitable[None]],
        whole: Callable[[Script, bytes], Answer],
        hang_seconds: float,
    ) -> None:
        self._name = name
        self._find = find
        self._begin = begin
        self._whole = whole
        self._hang_seconds = hang_seconds

    async def send(self, attempt: Attempt) -> Answer:
        """Answer as the script for this request says."""
        match attempt.call.capability:
            case "image":
                script, kind, pieces = self._picture(attempt)
            case "speech":
                speech = sound.read_speech(attempt.body)
                script, text = self._find(attempt.target.model, speech.input)
                kind, pieces = sound.spoken(speech, text or speech.input)
            case "transcription":
                recording = sound.read_recording(
                    attempt.body, attempt.content_type, stream=attempt.call.stream
                )
                script, _ = self._find(attempt.target.model, "")
                kind, pieces = sound.heard(recording, script.text or sound.HEARD)
            case _:
                prompt, seconds = films.read(attempt.body, attempt.content_type)
                script, prompt = self._find(attempt.target.model, prompt)
                kind, pieces = "application/json", [films.started(prompt, seconds, attempt.target.model)]
        await self._begin(script)
        headers: RawHeaders = [(b"content-type", kind.encode())]
        if kind.startswith(("audio/", "text/event-stream")):
            stream = EventStream(pieces, script, provider=self._name, hang_seconds=self._hang_seconds)
            return Answer(200, headers, stream=stream, close=stream.close)
        answer = self._whole(script, pieces[0])
        answer.headers = headers
        return answer

    async def job(self, request: JobRequest) -> Answer:
        """Tell about a video job, send the film, or delete it."""
        if request.action == "delete":
            return Answer(200, [(b"content-type", b"application/json")], body=films.deleted(request.id))
        if request.action == "show":
            found, kind = films.shown(request.id, request.model), b"application/json"
        else:
            found, kind = films.content(request.id, request.model), b"video/mp4"
        if found is None:
            raise ProviderError(
                f"Video '{request.id}' was not found, or is not ready yet.",
                provider=self._name,
                status=404,
                type="invalid_request_error",
                code="not_found",
            )
        return Answer(200, [(b"content-type", kind)], body=found)

    def _picture(self, attempt: Attempt) -> tuple[Script, str, list[bytes]]:
        request = pictures.read(attempt.body, attempt.content_type)
        script, prompt = self._find(attempt.target.model, request.prompt)
        if not attempt.call.stream:
            return (
                script,
                "application/json",
                [pictures.body(request, prompt, reports_usage=script.usage)],
            )
        edits = attempt.target.dialect != "openai.images"
        kind = "image_edit" if edits else "image_generation"
        return script, "text/event-stream; charset=utf-8", pictures.events(request, prompt, kind)
