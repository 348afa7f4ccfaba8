"""`generationConfig`, to and from the fields of the canonical form. https://ai.google.dev/api/generate-content#generationconfig."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from msgspec import Struct

from gateway.wire.canonical import AudioOutput, ChatRequest, Reasoning, ResponseFormat
from gateway.wire.codec import Losses
from gateway.wire.effort import budget_of
from gateway.wire.gemini_generate.schemas import json_schema
from gateway.wire.gemini_generate.shapes import DIALECT

PREFIX: Final = "generationConfig."
"""Of the names in `extra` that belong into the config."""
_BUDGETS: Final = re.compile(r"(?:.*/)?gemini-[12][.-]")
"""Models before Gemini 3, which count thoughts in tokens and know no levels."""
_LEVELS: Final[Mapping[str, str]] = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "XHIGH",
    "max": "XHIGH",
}
_JSON: Final = "application/json"
_SHOWN: Final = "anthropic.messages"
"""Whose clients are shown thoughts when they ask for some, unless they say otherwise. Gemini shows none by itself."""


class _Thinking(Struct, rename="camel"):
    thinking_budget: int | None = None
    thinking_level: str | None = None
    include_thoughts: bool | None = None


class _Config(Struct, rename="camel"):
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] | None = None
    candidate_count: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_mime_type: str | None = None
    response_schema: Any = None
    response_json_schema: Any = None
    response_modalities: list[str] | None = None
    speech_config: dict[str, Any] | None = None
    thinking_config: _Thinking | None = None


class _Outer(Struct, rename="camel"):
    """For the sake of its name in messages."""

    generation_config: _Config


_KNOWN: Final = frozenset(_Config.__struct_encode_fields__)
_NUMBERS: Final[Mapping[str, str]] = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "n": "candidateCount",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}


def read_settings(fields: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Return fields of a `ChatRequest`; what has no place among them goes into `extra`."""
    config = msgspec.convert({"generationConfig": fields}, _Outer).generation_config
    for name, value in fields.items():
        if name not in _KNOWN and value is not None:
            extra[PREFIX + name] = value
    audio = _voice(config.speech_config)
    if config.speech_config and audio is None:
        extra[PREFIX + "speechConfig"] = config.speech_config
    return {
        "response_format": _read_format(config, extra),
        "max_tokens": config.max_output_tokens,
        "temperature": config.temperature,
        "top_p": config.top_p,
        "top_k": None if config.top_k is None else int(config.top_k),
        "stop": tuple(config.stop_sequences or ()),
        "seed": config.seed,
        "n": config.candidate_count,
        "presence_penalty": config.presence_penalty,
        "frequency_penalty": config.frequency_penalty,
        "logprobs": config.response_logprobs,
        "top_logprobs": config.logprobs,
        "reasoning": _read_reasoning(config.thinking_config),
        "modalities": tuple(
            kind.lower() for kind in config.response_modalities or () if not kind.endswith("UNSPECIFIED")
        ),
        "audio": audio,
    }


def written_settings(request: ChatRequest, model: str, losses: Losses) -> dict[str, Any]:
    """Return the config; what cannot be said is told to `losses`."""
    config = {
        name: value
        for field, name in _NUMBERS.items()
        if (value := getattr(request, field)) is not None and not _is_neutral(field, value)
    }
    if request.stop:
        config["stopSequences"] = request.stop
    if request.modalities and not (request.modalities == ("text",) and request.dialect != DIALECT):
        config["responseModalities"] = [kind.upper() for kind in request.modalities]
    config |= _written_format(request.response_format)
    thinking = _written_reasoning(request.reasoning, model, shows=request.dialect == _SHOWN)
    if thinking:
        config["thinkingConfig"] = thinking
    audio = request.audio
    if audio is not None:
        if audio.format not in {None, "pcm16"}:
            losses.cannot("audio")
        if audio.voice:
            config["speechConfig"] = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": audio.voice}}}
    if request.logit_bias:
        losses.cannot("logit_bias")
    if request.verbosity is not None:
        losses.cannot("verbosity")
    if request.dialect == DIALECT:
        own = {
            name.removeprefix(PREFIX): value
            for name, value in request.extra.items()
            if name.startswith(PREFIX)
        }
        config |= own
    return config


def counts_thoughts(model: str) -> bool:
    """Whether the model is of the generations before Gemini 3."""
    return _BUDGETS.match(model) is not None


def _is_neutral(field: str, value: Any) -> bool:
    return (field == "logprobs" and value is False) or (
        field in {"presence_penalty", "frequency_penalty", "top_logprobs"} and value == 0
    )


def _read_format(config: _Config, extra: dict[str, Any]) -> ResponseFormat | None:
    kind = config.response_mime_type
    schema = config.response_json_schema
    if schema is None and config.response_schema is not None:
        schema = json_schema(config.response_schema)
    if kind in {None, _JSON, "text/plain"}:
        if schema is not None:
            return ResponseFormat(type="json_schema", schema=schema)
        return ResponseFormat(type="json_object") if kind == _JSON else None
    extra[PREFIX + "responseMimeType"] = kind  # such as text/x.enum, which no other dialect knows
    if schema is not None:
        extra[PREFIX + "responseJsonSchema"] = schema
    return None


def _written_format(shape: ResponseFormat | None) -> dict[str, Any]:
    if shape is None or shape.type == "text":
        return {}
    if shape.type == "json_object" or shape.schema is None:
        return {"responseMimeType": _JSON}
    schema = shape.schema
    if shape.description and isinstance(schema, dict):
        schema = {"description": shape.description, **cast("dict[str, Any]", schema)}
    return {"responseMimeType": _JSON, "responseJsonSchema": schema}


def _read_reasoning(config: _Thinking | None) -> Reasoning | None:
    if config is None:
        return None
    level = (config.thinking_level or "").lower()
    shows = config.include_thoughts
    return Reasoning(
        effort=level if level and not level.endswith("unspecified") else None,
        budget=config.thinking_budget,
        summary=None if shows is None else ("auto" if shows else "none"),
    )


def _written_reasoning(reasoning: Reasoning | None, model: str, *, shows: bool) -> dict[str, Any]:
    """Say how much to think in the way that the model's generation understands; both at once would be refused.

    `shows` is whether thoughts are shown where the client asks for some and does not say more.
    """
    if reasoning is None:
        return {}
    config: dict[str, Any] = {}
    effort, budget = reasoning.effort, reasoning.budget
    if budget is not None and (effort is None or budget >= 0):
        config["thinkingBudget"] = budget
    elif effort in _LEVELS and not counts_thoughts(model):
        config["thinkingLevel"] = _LEVELS[effort]
    elif effort is not None:
        config["thinkingBudget"] = budget_of(effort)
    if reasoning.summary is not None:
        config["includeThoughts"] = reasoning.summary != "none"
    elif shows and budget:
        config["includeThoughts"] = True
    return config


def _voice(speech: dict[str, Any] | None) -> AudioOutput | None:
    """Read a voice, when the config says nothing else."""
    match speech:
        case {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": str(name), **beyond}, **more}, **rest}:
            return None if beyond or more or rest else AudioOutput(voice=name)
        case _:
            return None
