"""Whole answers, to and from the canonical form. https://ai.google.dev/api/generate-content#generatecontentresponse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    Audio,
    ChatAnswer,
    ChatRequest,
    Choice,
    Citation,
    Document,
    Foreign,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
    Video,
)
from gateway.wire.dialect import WireError
from gateway.wire.gemini_generate import media, safety, signatures
from gateway.wire.gemini_generate.citations import (
    QUERIES,
    read_citations,
    searches,
    searches_in,
    words_of,
    written_citations,
)
from gateway.wire.gemini_generate.shapes import (
    DIALECT,
    FINISH,
    Candidate,
    FunctionCall,
    Logprobs,
    Response,
    stop_reason,
    usage_fields,
    usage_of,
    with_searches,
)
from gateway.wire.gemini_generate.shapes import Part as Shape
from gateway.wire.gemini_generate.written import call_arguments

_ID: Final = re.compile(r"[^A-Za-z0-9_-]")
_ID_LENGTH: Final = 24
"""How much of an answer's id goes into those of its calls, which OpenAI's clients want short."""

_decode = msgspec.json.Decoder(Response).decode


def decode_answer(body: bytes) -> ChatAnswer:
    """Read a provider's whole answer. Raises `WireError` when it is no such answer."""
    try:
        response = _decode(body)
    except UNREADABLE as error:
        raise WireError(f"the answer is not what Gemini sends: {error}") from None
    if response.candidates is None and response.prompt_feedback is None:
        raise WireError("the answer holds neither candidates nor a reason why there are none")
    return ChatAnswer(
        id=response.response_id or "",
        model=response.model_version or "",
        choices=tuple(_choices(response)),
        usage=with_searches(usage_of(response.usage_metadata), searches_in(body)),
    )


def encode_answer(answer: ChatAnswer, request: ChatRequest) -> bytes:
    """Write a whole answer for a client."""
    fields: dict[str, Any] = {"candidates": [_candidate(choice) for choice in answer.choices]}
    if answer.usage is not None:
        fields["usageMetadata"] = usage_fields(answer.usage)
    fields["modelVersion"] = answer.model or request.model
    if answer.id:
        fields["responseId"] = answer.id
    return msgspec.json.encode(fields)


def call_id(call: FunctionCall, response_id: str | None, number: int) -> str:
    """Return a call's id: its own, or one made of the answer's and its number."""
    return call.id or f"call_{_ID.sub('-', response_id or '')[:_ID_LENGTH]}_{number}".replace("__", "_")


def arguments(call: FunctionCall) -> str:
    """Return a call's arguments as text."""
    return "{}" if call.args is None else msgspec.json.encode(call.args).decode()


def read_logprobs(told: Logprobs) -> tuple[TokenLogprob, ...]:
    """Read how likely the tokens were."""
    tops = told.top_candidates or []
    return tuple(
        TokenLogprob(
            token=one.token,
            logprob=one.log_probability,
            top=tuple(
                TokenLogprob(token=other.token, logprob=other.log_probability)
                for other in (tops[place].candidates or () if place < len(tops) else ())
            ),
        )
        for place, one in enumerate(told.chosen_candidates or ())
    )


def written_logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
    """Write how likely the tokens were."""
    fields: dict[str, Any] = {"chosenCandidates": [_logged(one) for one in tokens]}
    if any(one.top for one in tokens):
        fields["topCandidates"] = [{"candidates": [_logged(top) for top in one.top]} for one in tokens]
    return fields


def _logged(one: TokenLogprob) -> dict[str, Any]:
    return {"token": one.token, "logProbability": one.logprob}


def _choices(response: Response) -> Iterator[Choice]:
    feedback = response.prompt_feedback
    if not response.candidates and feedback is not None and feedback.block_reason:
        yield Choice(stop="content_filter", safety=feedback.safety_ratings)
    for candidate in response.candidates or ():
        parts = list(_parts(candidate, response.response_id))
        calls = any(isinstance(part, ToolCall) for part in parts)
        logprobs = candidate.logprobs_result
        yield Choice(
            index=candidate.index,
            parts=tuple(_cited(parts, candidate)),
            stop=stop_reason(candidate.finish_reason, calls=calls) if candidate.finish_reason else None,
            logprobs=read_logprobs(logprobs) if logprobs is not None else None,
            safety=candidate.safety_ratings,
        )


def _parts(candidate: Candidate, response_id: str | None) -> Iterator[Part]:
    calls = 0
    if queries := searches(candidate):
        yield Foreign(dialect=DIALECT, type=QUERIES, value={QUERIES: queries})
    for part in candidate.content.parts or () if candidate.content else ():
        if part.function_call is not None:
            call = part.function_call
            yield ToolCall(
                id=call_id(call, response_id, calls),
                name=call.name,
                arguments=arguments(call),
                signature=signatures.of_call(part.thought_signature),
            )
            calls += 1
        elif part.thought:
            yield Thinking(text=part.text or "", signature=part.thought_signature, origin=DIALECT)
        elif part.inline_data is not None:
            yield media.from_blob(part.inline_data, signature=part.thought_signature)
        elif part.file_data is not None:
            yield media.from_file(part.file_data, signature=part.thought_signature)
        elif (code := part.of_code()) is not None:
            yield Foreign(dialect=DIALECT, type=next(iter(code)), value=code)
        elif (words := words_of(part)) is not None:
            yield Text(text=words, signature=part.thought_signature)


def _cited(parts: list[Part], candidate: Candidate) -> list[Part]:
    """Give each text its citations."""
    texts = [place for place, part in enumerate(parts) if isinstance(part, Text)]
    content = candidate.content.parts or () if candidate.content else ()
    for number, citation in read_citations(candidate, [words_of(part) for part in content]):
        if number < len(texts):
            text = parts[texts[number]]
            assert isinstance(text, Text)
            parts[texts[number]] = msgspec.structs.replace(text, citations=(*text.citations, citation))
    return parts


def _searched(choice: Choice) -> dict[str, Any]:
    found = [part.value for part in choice.parts if isinstance(part, Foreign) and part.type == QUERIES]
    return found[-1] if found else {}


def _candidate(choice: Choice) -> dict[str, Any]:
    calls_badly = False
    parts: list[dict[str, Any]] = []
    cited: list[tuple[str, int, Citation]] = []
    for part in choice.parts:
        if isinstance(part, ToolCall) and call_arguments(part.arguments, custom=part.custom) is None:
            calls_badly = True  # there is no way to say it, only that it went wrong
            continue
        if isinstance(part, Text):
            cited += [(part.text, len(parts), one) for one in part.citations]
        parts += _written(part)
    signatures.sign_step(parts)  # for the day when a model of Gemini's goes on
    fields: dict[str, Any] = {"index": choice.index, "content": {"parts": parts, "role": "model"}}
    reason = choice.stop
    if calls_badly and reason != "length":
        reason = "error"
    if reason is not None:
        fields["finishReason"] = FINISH[reason]
    grounding = written_citations(cited)
    grounding |= _searched(choice)
    if grounding:
        fields["groundingMetadata"] = grounding
    if choice.logprobs:
        fields["logprobsResult"] = written_logprobs(choice.logprobs)
    ratings = safety.written(choice.safety)
    if ratings is not None:
        fields["safetyRatings"] = ratings
    return fields


def _written(part: Part) -> Iterable[dict[str, Any]]:
    match part:
        case Text():
            yield written_part(Shape(text=part.text, thought_signature=part.signature))
        case Refusal():
            yield {"text": part.text}
        case Thinking():
            signature = signatures.written(part)
            yield written_part(Shape(text=part.text, thought=True, thought_signature=signature))
        case ToolCall():
            call = FunctionCall(part.name, call_arguments(part.arguments, custom=part.custom), part.id)
            yield written_part(Shape(function_call=call, thought_signature=part.signature))
        case Image():
            yield media.written(part) | ({"thoughtSignature": part.signature} if part.signature else {})
        case Audio():
            if part.transcript:
                yield {"text": part.transcript}
            yield media.written(part)
        case Video() | Document():
            yield media.written(part)
        case Foreign() if part.dialect == DIALECT and part.type != QUERIES:
            yield part.value
        case _:
            pass  # what only another dialect can say


def written_part(part: Shape) -> dict[str, Any]:
    """Write a part without what is not set."""
    return msgspec.to_builtins(part)
