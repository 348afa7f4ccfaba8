"""A provider's whole chat completion, to the canonical form. https://platform.openai.com/docs/api-reference/chat/object."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.wire.body import UNREADABLE
from gateway.wire.canonical import (
    Audio,
    ChatAnswer,
    Choice,
    Citation,
    Image,
    Part,
    Refusal,
    Source,
    Text,
    Thinking,
    ToolCall,
)
from gateway.wire.dialect import WireError
from gateway.wire.openai_chat.words import (
    LogprobsFields,
    UsageFields,
    read_logprobs,
    read_signature,
    read_thinking,
    read_usage,
    stop_reason,
)

_DATA_URL: Final = re.compile(r"data:([^;,]*)(?:;[^,]*)?;base64,")


class Function(Struct):
    """What is called; some services send arguments that are no text."""

    name: str | None = None
    arguments: Any = None


class Custom(Struct):
    """A custom tool that is called."""

    name: str | None = None
    input: str | None = None


class _Call(Struct):
    id: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: Any = None


class Cited(Struct):
    """Of an annotation."""

    url: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class Annotation(Struct):
    """Only those of type `url_citation` are known."""

    url_citation: Cited | None = None


class ContentPart(Struct):
    """Mistral's reasoning models answer in parts: https://docs.mistral.ai/capabilities/reasoning/."""

    type: str = ""
    text: str | None = None
    thinking: Any = None


class _Address(Struct):
    url: str = ""


class Picture(Struct):
    """OpenRouter's way: https://openrouter.ai/docs/features/multimodal/image-generation."""

    image_url: _Address | None = None


class SoundFields(Struct):
    """A spoken answer."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class _Message(Struct):
    content: str | list[ContentPart] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: Function | None = None
    annotations: list[Annotation] | None = None
    audio: SoundFields | None = None
    images: list[Picture] | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    reasoning_details: Any = None
    extra_content: Any = None


class _Choice(Struct):
    message: _Message
    index: int = 0
    finish_reason: str | None = None
    stop_reason: Any = None
    logprobs: LogprobsFields | None = None
    content_filter_results: Any = None
    safety_results: Any = None
    """Another gateway's way to tell what a provider of another dialect said."""


class _Answer(Struct):
    choices: list[_Choice]
    id: str = ""
    model: str = ""
    created: float = 0
    usage: UsageFields | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


def decode_answer(body: bytes) -> ChatAnswer:
    """Read a provider's chat completion. Raises `WireError` when it is none."""
    try:
        answer = _decode_answer(body)
    except UNREADABLE as error:
        raise WireError(f"the answer is not a chat completion: {error}") from None
    if not answer.choices:
        raise WireError("the answer has no choices")
    return ChatAnswer(
        id=answer.id,
        model=answer.model,
        created=int(answer.created),
        choices=tuple(map(_choice, answer.choices)),
        usage=read_usage(answer.usage),
        service_tier=answer.service_tier,
        fingerprint=answer.system_fingerprint,
    )


def arguments_text(arguments: Any) -> str:
    """Return arguments as text, whatever the service sent."""
    if arguments is None:
        return ""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments).decode()


def picture(address: str) -> tuple[str, str] | None:
    """Return media type and base64 of a `data:` URL; None for anything else."""
    match = _DATA_URL.match(address)
    return None if match is None else (match[1] or "image/png", address[match.end() :])


def thinking_text(thinking: Any) -> str:
    """Return the text of Mistral's thinking part: a string, or a list of text parts; "" for any other part."""
    if thinking is None:
        return ""
    if isinstance(thinking, str):
        return thinking
    try:
        return "".join(part.text or "" for part in msgspec.convert(thinking, list[ContentPart]))
    except msgspec.ValidationError:
        return ""


def _choice(choice: _Choice) -> Choice:
    stop = choice.stop_reason
    said = choice.finish_reason
    return Choice(
        index=choice.index,
        parts=tuple(_parts(choice.message)),
        stop=None if said is None else stop_reason(said),
        stop_sequence=stop if isinstance(stop, str) else None,
        logprobs=read_logprobs(choice.logprobs),
        safety=choice.content_filter_results or choice.safety_results or None,
    )


def _parts(message: _Message) -> list[Part]:
    said = message.reasoning_content or message.reasoning
    parts: list[Part] = [*read_thinking(message.reasoning_details, said if isinstance(said, str) else None)]
    parts += _content(message)
    if message.refusal:
        parts.append(Refusal(text=message.refusal))
    for image in message.images or ():
        found = picture(image.image_url.url) if image.image_url else None
        if found:
            parts.append(Image(source=Source(media_type=found[0], data=found[1])))
    if message.audio is not None:
        sound = message.audio
        parts.append(Audio(source=Source(data=sound.data), id=sound.id, transcript=sound.transcript))
    calls = message.tool_calls or []
    if message.function_call is not None and not calls:
        calls = [_Call(function=message.function_call)]
    return [*parts, *(_call(call, number) for number, call in enumerate(calls))]


def _content(message: _Message) -> list[Part]:
    content = message.content
    if not content:
        return []
    if isinstance(content, str):
        signature = read_signature(message.extra_content)
        citations = tuple(read_citations(message.annotations))
        return [Text(text=content, citations=citations, signature=signature)]
    parts: list[Part] = []
    for part in content:
        if thought := thinking_text(part.thinking):
            parts.append(Thinking(text=thought))
        elif part.text:
            parts.append(Text(text=part.text))
    return parts


def _call(call: _Call, number: int) -> ToolCall:
    name = call.id or f"call_{number}"
    custom = call.custom
    if custom is not None and custom.name:
        return ToolCall(id=name, name=custom.name, arguments=custom.input or "", custom=True)
    function = call.function
    if function is None or not function.name:
        raise WireError("the answer has a tool call without a name")
    return ToolCall(
        id=name,
        name=function.name,
        arguments=arguments_text(function.arguments),
        signature=read_signature(call.extra_content),
    )


def read_citations(annotations: list[Annotation] | None) -> list[Citation]:
    """Return the citations of addresses."""
    return [
        Citation(url=cited.url, title=cited.title, start=cited.start_index, end=cited.end_index)
        for annotation in annotations or ()
        if (cited := annotation.url_citation) is not None
    ]
