"""What a request may use at most, told from its body without reading it whole: for money that is held before a call.

It is dearer than what most calls will use, and cheap to tell: some microseconds for a chat of the usual length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct, field

from gateway.types import Call, Dialect
from gateway.wire.made import made_as
from gateway.wire.prompt_length import text_tokens

_MADE_PICTURE_TOKENS: Final = 6_300
"""The tokens of a picture of high quality that is made, where pictures are billed in tokens."""
_BYTES_PER_SECOND: Final = 4_000
"""Of sound that is uploaded: 32 kbit/s, below what recorders write."""
_CHARACTERS_PER_SECOND: Final = 8
"""Of text that is spoken, slowly."""
_TOKENS_PER_SECOND: Final = 25
"""Of sound."""
_FILM_SECONDS: Final = 8
"""What providers make when nothing is said."""
_RANKED_TOGETHER: Final = 100
"""Documents that count as one search."""


class Media(Struct, frozen=True, kw_only=True):
    """What is asked for beside text, as the fields of `Usage`."""

    images: int = 0
    seconds: float = 0.0
    size: str = ""
    quality: str = ""
    characters: int = 0
    searches: int = 0
    speaks: bool = False
    """Whether the answer is sound."""
    hears: bool = False
    """Whether the prompt is sound."""


TEXT: Final = Media()


class Asked(Struct, frozen=True, kw_only=True):
    """The most that a request may use; the length of its answer is as the client says."""

    prompt_tokens: int = 0
    answer_tokens: int | None = 0
    """Of all answers together; None where it is left to the model."""
    copies: int = 1
    """Answers that are asked for."""
    media: Media | None = None
    """None for a text."""


class _Chat(Struct):
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None

    def limits(self) -> tuple[int | None, int]:
        newer = self.max_completion_tokens
        return (self.max_tokens if newer is None else newer), self.n or 1


class _Completion(Struct):
    max_tokens: int | None = None
    n: int | None = None
    best_of: int | None = None
    prompt: Raw = field(default_factory=Raw)

    def limits(self) -> tuple[int | None, int]:
        prompts = 1
        if bytes(self.prompt).startswith(b"["):
            texts: list[Any] = msgspec.json.decode(self.prompt)
            prompts = 1 if texts and isinstance(texts[0], int) else len(texts)
        # What OpenAI takes when nothing is said. https://platform.openai.com/docs/api-reference/completions
        return 16 if self.max_tokens is None else self.max_tokens, prompts * max(
            self.n or 1, self.best_of or 1
        )


class _Message(Struct):
    max_tokens: int | None = None

    def limits(self) -> tuple[int | None, int]:
        return self.max_tokens, 1


class _Response(Struct):
    max_output_tokens: int | None = None

    def limits(self) -> tuple[int | None, int]:
        return self.max_output_tokens, 1


class _GeminiConfig(Struct):
    maxOutputTokens: int | None = None  # noqa: N815 - Gemini's name
    max_output_tokens: int | None = None
    candidateCount: int | None = None  # noqa: N815 - Gemini's name
    candidate_count: int | None = None


class _Gemini(Struct):
    generationConfig: _GeminiConfig | None = None  # noqa: N815 - Gemini's name
    generation_config: _GeminiConfig | None = None

    def limits(self) -> tuple[int | None, int]:
        config = self.generationConfig or self.generation_config or _GeminiConfig()
        return (
            config.max_output_tokens if config.maxOutputTokens is None else config.maxOutputTokens,
            config.candidateCount or config.candidate_count or 1,
        )


class _AigneOptions(Struct, rename="camel"):
    max_tokens: int | None = None


class _AigneInput(Struct, rename="camel"):
    model_options: _AigneOptions | None = None


class _Aigne(Struct):
    input: _AigneInput

    def limits(self) -> tuple[int | None, int]:
        options = self.input.model_options
        return (None if options is None else options.max_tokens), 1


_Limited = _Chat | _Completion | _Message | _Response | _Gemini | _Aigne

_DECODE: Final[Mapping[Dialect, Callable[[bytes], _Limited]]] = MappingProxyType(
    {
        "aigne.chat": msgspec.json.Decoder(_Aigne).decode,
        "anthropic.messages": msgspec.json.Decoder(_Message).decode,
        "cohere.chat": msgspec.json.Decoder(_Message).decode,
        "gemini.generate": msgspec.json.Decoder(_Gemini).decode,
        "openai.chat": msgspec.json.Decoder(_Chat).decode,
        "openai.completions": msgspec.json.Decoder(_Completion).decode,
        "openai.responses": msgspec.json.Decoder(_Response).decode,
    }
)


class _Parameters(Struct, rename="camel"):
    sample_count: int | None = None


class _Media(Struct):
    n: int | None = None
    parameters: _Parameters | None = None
    """Imagen's."""
    input: Raw = field(default_factory=Raw)
    seconds: int | str | None = None
    documents: Raw = field(default_factory=Raw)


_decode_media: Final = msgspec.json.Decoder(_Media).decode
_count: Final = msgspec.json.Decoder(list[Raw]).decode


def asked(call: Call) -> Asked:
    """Tell the most that a call may use. What cannot be read asks for nothing in particular."""
    capability = call.capability
    if capability in ("chat", "responses", "completion"):
        most, copies = _limits(call)
        tokens = text_tokens(call.body)
        answer = None if most is None else most * copies
        # Copies may become requests of their own, each with its prompt.
        return Asked(prompt_tokens=tokens * copies, answer_tokens=answer, copies=copies)
    if capability == "tokens":
        return Asked()
    if capability in ("embedding", "moderation"):
        return Asked(prompt_tokens=text_tokens(call.body))
    if capability == "transcription":
        seconds = len(call.body) / _BYTES_PER_SECOND
        tokens = round(seconds * _TOKENS_PER_SECOND)
        media = Media(seconds=seconds, hears=True)
        return Asked(prompt_tokens=tokens, answer_tokens=tokens, media=media)
    if capability in ("image", "speech", "video", "rerank"):
        return _of_media(call)
    return Asked(prompt_tokens=text_tokens(call.body), answer_tokens=None)


def _limits(call: Call) -> tuple[int | None, int]:
    """The longest answer that the client allows, and how many it wants."""
    try:
        most, copies = _DECODE[call.dialect](call.body).limits()
    except (KeyError, ValueError, RecursionError):
        return None, 1
    return (None if most is None else max(0, most)), max(1, copies)


def _of_media(call: Call) -> Asked:
    try:
        given = _decode_media(call.body)
        samples = given.parameters.sample_count if given.parameters else None
        n, spoken, documents = max(1, given.n or samples or 1), len(bytes(given.input)), given.documents
        seconds = float(given.seconds or _FILM_SECONDS)
        ranked = len(_count(documents)) if bytes(documents) else 0
    except (ValueError, RecursionError):  # a form, as pictures are uploaded in
        n, spoken, seconds, ranked = 1, len(call.body), float(_FILM_SECONDS), 0
    tokens = text_tokens(call.body)
    match call.capability:
        case "image":
            size, quality = made_as(call)
            media = Media(images=n, size=size, quality=quality)
            return Asked(prompt_tokens=tokens, answer_tokens=n * _MADE_PICTURE_TOKENS, media=media)
        case "speech":
            length = spoken / _CHARACTERS_PER_SECOND
            media = Media(characters=spoken, seconds=length, speaks=True)
            sound = round(length * _TOKENS_PER_SECOND)
            return Asked(prompt_tokens=tokens, answer_tokens=sound, media=media)
        case "video":
            size, quality = made_as(call)
            return Asked(prompt_tokens=tokens, media=Media(seconds=seconds, size=size, quality=quality))
        case _:
            searches = -(-ranked // _RANKED_TOGETHER)
            return Asked(prompt_tokens=tokens, media=Media(searches=searches))
