"""The shapes of Gemini's JSON. https://ai.google.dev/api/generate-content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Raw, Struct
from msgspec.structs import replace

from gateway.types import Dialect, Usage
from gateway.wire.canonical import StopReason

DIALECT: Final[Dialect] = "gemini.generate"
NOTHING: Final = Raw(b"")


class Blob(Struct, rename="camel", omit_defaults=True):
    """Bytes within the message: base64, by Python's SDK in the alphabet for URLs."""

    mime_type: str | None = None
    data: str | None = None
    display_name: str | None = None


class FileData(Struct, rename="camel", omit_defaults=True):
    """Bytes elsewhere."""

    mime_type: str | None = None
    file_uri: str | None = None
    display_name: str | None = None


class FunctionCall(Struct, rename="camel", omit_defaults=True):
    """The model wants a function to be called."""

    name: str = ""
    args: Any = None
    id: str | None = None


class Part(Struct, rename="camel", omit_defaults=True):
    """One part of an answer, as far as other dialects know such."""

    text: str | None = None
    thought: bool | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    thought_signature: str | None = None
    executable_code: Any = None
    code_execution_result: Any = None

    def of_code(self) -> dict[str, Any] | None:
        """Code that Gemini ran, or what came of it, as it was said; None for a part that is neither."""
        if self.executable_code is not None:
            return {"executableCode": self.executable_code}
        return (
            None
            if self.code_execution_result is None
            else {"codeExecutionResult": self.code_execution_result}
        )


class Content(Struct, rename="camel"):
    """The parts of one turn."""

    parts: list[Part] | None = None


class LoggedToken(Struct, rename="camel"):
    """One token and how likely it was."""

    token: str = ""
    log_probability: float = 0.0


class TopTokens(Struct, rename="camel"):
    """The likeliest tokens at one place."""

    candidates: list[LoggedToken] | None = None


class Logprobs(Struct, rename="camel"):
    """How likely the tokens were."""

    chosen_candidates: list[LoggedToken] | None = None
    top_candidates: list[TopTokens] | None = None


class Candidate(Struct, rename="camel"):
    """One of the answers."""

    index: int = 0
    content: Content | None = None
    finish_reason: str | None = None
    safety_ratings: Any = None
    citation_metadata: Any = None
    grounding_metadata: Any = None
    logprobs_result: Logprobs | None = None


class PromptFeedback(Struct, rename="camel"):
    """Why there is no answer."""

    block_reason: str | None = None
    safety_ratings: Any = None


class ModalityCount(Struct, rename="camel"):
    """How many tokens were of one kind."""

    modality: str | None = None
    token_count: int | None = None


class UsageMetadata(Struct, rename="camel"):
    """What was used. `candidatesTokenCount` holds no thoughts."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    prompt_tokens_details: list[ModalityCount] | None = None
    candidates_tokens_details: list[ModalityCount] | None = None


class Response(Struct, rename="camel"):
    """An answer, or one event of a streamed one."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageMetadata | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Raw = NOTHING


_STOPS: Final[Mapping[str, StopReason]] = {
    "STOP": "stop",
    "FINISH_REASON_UNSPECIFIED": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "pause",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
}
FINISH: Final[Mapping[StopReason, str]] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "context": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "pause": "CONTINUATION",
    "error": "MALFORMED_FUNCTION_CALL",
}
"""What Gemini calls a reason to stop."""


def stop_reason(finish: str, *, calls: bool) -> StopReason:
    """Tell why a candidate ended; `calls` says whether it called functions, for which Gemini has no word of its own."""
    reason: StopReason = _STOPS.get(finish, "error")
    return "tool_calls" if reason == "stop" and calls else reason


def usage_of(told: UsageMetadata | None) -> Usage | None:
    """Read what was used; None when the provider did not say."""
    if told is None or told.prompt_token_count is None:
        return None
    thoughts = told.thoughts_token_count or 0
    return Usage(
        prompt_tokens=told.prompt_token_count + (told.tool_use_prompt_token_count or 0),
        completion_tokens=(told.candidates_token_count or 0) + thoughts,
        cached_read_tokens=told.cached_content_token_count or 0,
        reasoning_tokens=thoughts,
        audio_prompt_tokens=_of_audio(told.prompt_tokens_details),
        audio_completion_tokens=_of_audio(told.candidates_tokens_details),
    )


def with_searches(usage: Usage | None, count: int) -> Usage | None:
    """Note in usage how often the web was searched."""
    return replace(usage, searches=count) if usage is not None and count else usage


def usage_fields(usage: Usage) -> dict[str, Any]:
    """Write what was used."""
    fields: dict[str, Any] = {
        "promptTokenCount": usage.prompt_tokens,
        "candidatesTokenCount": usage.completion_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.prompt_tokens + usage.completion_tokens,
    }
    if usage.reasoning_tokens:
        fields["thoughtsTokenCount"] = usage.reasoning_tokens
    if usage.cached_read_tokens:
        fields["cachedContentTokenCount"] = usage.cached_read_tokens
    if usage.audio_prompt_tokens:
        fields["promptTokensDetails"] = _details(usage.prompt_tokens, usage.audio_prompt_tokens)
    if usage.audio_completion_tokens:
        spoken = usage.audio_completion_tokens
        fields["candidatesTokensDetails"] = _details(fields["candidatesTokenCount"], spoken)
    return fields


def _of_audio(counts: list[ModalityCount] | None) -> int:
    if not counts:
        return 0
    return sum(count.token_count or 0 for count in counts if count.modality == "AUDIO")


def _details(all_tokens: int, audio: int) -> list[dict[str, Any]]:
    text = {"modality": "TEXT", "tokenCount": max(all_tokens - audio, 0)}
    return [text, {"modality": "AUDIO", "tokenCount": audio}]
