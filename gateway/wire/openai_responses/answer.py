"""Whole responses, to the canonical form and back."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.wire.body import UNREADABLE
from gateway.wire.built_in import BuiltInCalls, prefix_of
from gateway.wire.canonical import (
    Audio,
    ChatAnswer,
    ChatRequest,
    Choice,
    Foreign,
    Image,
    Part,
    Refusal,
    Source,
    StopReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
)
from gateway.wire.dialect import WireError
from gateway.wire.openai_responses.content import read_citations, write_citation
from gateway.wire.openai_responses.sealed import DIALECT, seal, seal_call, unseal
from gateway.wire.openai_responses.shape import item_id, new_id, skeleton, tier_of
from gateway.wire.openai_responses.thoughts import FOREIGN
from gateway.wire.openai_responses.usage import UsageFields, read_usage, tools_of, write_usage
from gateway.wire.openai_responses.wire import failure_of

_MAY_BREAK_OFF: Final = frozenset({"message", "function_call", "custom_tool_call"})
"""Items that are `incomplete` where an answer is; others know no such status."""
_READ: Final = frozenset({"message", "function_call", "custom_tool_call", "reasoning"})
INCOMPLETE: Final = {
    "length": "max_output_tokens",
    "context": "max_output_tokens",
    "content_filter": "content_filter",
}
"""Stop reasons that leave a response incomplete, and what the API calls them."""


class _Words(Struct):
    type: str = ""
    text: str = ""
    refusal: str = ""
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class Item(Struct):
    """An item of the output, as far as it is read here."""

    type: str = ""
    id: str | None = None
    content: list[_Words] | None = None
    summary: list[_Words] | None = None
    encrypted_content: str | None = None
    call_id: str = ""
    name: str = ""
    arguments: str = ""
    input: str = ""


class _Logprob(Struct):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top_logprobs: list[Any] | None = None


class Picture(Struct):
    """What came of `image_generation_call`."""

    result: str | None = None
    output_format: str | None = None

    def media_type(self) -> str:
        """Return the kind of picture it is."""
        return f"image/{self.output_format or 'png'}"


class _Kind(Struct):
    type: str


class _Incomplete(Struct):
    reason: str | None = None


class Response(Struct):
    """A response, as far as it is read here."""

    id: str = ""
    model: str = ""
    created_at: float = 0
    status: str = "completed"
    output: list[Any] = []
    incomplete_details: _Incomplete | None = None
    usage: UsageFields | None = None
    service_tier: str | None = None


_decode = msgspec.json.Decoder(Response).decode


def decode_answer(body: bytes) -> ChatAnswer:
    """Read a response. Raises `WireError` when it is none, `StreamFailed` when it says that it failed."""
    try:
        found = _decode(body)
        items = [(read_item(value), value) for value in found.output]
        words = [one for item, _ in items for one in item.content or ()]
        logprobs = [read_logprob(token) for one in words for token in one.logprobs or ()]
    except UNREADABLE as error:
        raise WireError(f"the answer is not a response: {error}") from None
    if found.status == "failed":
        raise failure_of({"response": msgspec.json.decode(body)})
    parts = tuple(part for item, value in items for part in _parts(item, value))
    choice = Choice(parts=parts, stop=stop_of(found, parts), logprobs=tuple(logprobs) or None)
    return ChatAnswer(
        id=found.id,
        model=found.model,
        choices=(choice,),
        created=int(found.created_at),
        usage=read_usage(found.usage, tools_of(msgspec.json.encode(found.output))),
        service_tier=found.service_tier,
    )


def read_item(value: Any) -> Item:
    """Read an item. Raises `msgspec.ValidationError`."""
    kind = msgspec.convert(value, _Kind).type
    return msgspec.convert(value, Item) if kind in _READ else Item(type=kind)


def stop_of(response: Response, parts: Iterable[Part]) -> StopReason:
    """Tell why the model stopped."""
    if response.status == "incomplete":
        reason = response.incomplete_details.reason if response.incomplete_details else None
        return "content_filter" if reason == "content_filter" else "length"
    kinds = {type(part) for part in parts}
    if ToolCall in kinds:
        return "tool_calls"
    return "refusal" if Refusal in kinds else "stop"


def read_logprob(value: Any) -> TokenLogprob:
    """Read one token's logprob. Raises `msgspec.ValidationError`."""
    found = msgspec.convert(value, _Logprob)
    top = tuple(read_logprob(one) for one in found.top_logprobs or ())
    return TokenLogprob(token=found.token, logprob=found.logprob, bytes=found.bytes, top=top)


def write_logprob(token: TokenLogprob) -> dict[str, Any]:
    """Write one token's logprob."""
    given = token.bytes if token.bytes is not None else tuple(token.token.encode("utf-8", "replace"))
    plain = {"token": token.token, "logprob": token.logprob, "bytes": given}
    top = [write_logprob(one) for one in token.top]
    return {**plain, "top_logprobs": [{k: v for k, v in one.items() if k != "top_logprobs"} for one in top]}


def thought_of(item: Item) -> str:
    """Join what an item shows of its thoughts."""
    return "\n\n".join(words.text for words in item.content or item.summary or ())


def _parts(item: Item, value: Any) -> Iterator[Part]:
    match item.type:
        case "message":
            for words in item.content or ():
                if words.type == "refusal":
                    yield Refusal(text=words.refusal)
                else:
                    yield Text(text=words.text, citations=read_citations(words.annotations or ()))
        case "function_call":
            yield ToolCall(id=item.call_id, name=item.name, arguments=item.arguments)
        case "custom_tool_call":
            yield ToolCall(id=item.call_id, name=item.name, arguments=item.input, custom=True)
        case "reasoning":
            sealed = unseal(item.encrypted_content)
            yield Thinking(
                text=thought_of(item),
                signature=sealed.signature,
                encrypted=sealed.encrypted,
                id=item.id,
                origin=sealed.origin,
            )
        case "image_generation_call" if data := (picture := msgspec.convert(value, Picture)).result:
            yield Image(source=Source(media_type=picture.media_type(), data=data))
        case other:
            yield Foreign(dialect=DIALECT, type=other, value=value)


def encode_answer(answer: ChatAnswer, request: ChatRequest) -> bytes:
    """Write a response for the client."""
    choice = answer.choices[0] if answer.choices else Choice()
    response_id = answer.id if answer.id.startswith("resp_") else new_id()
    response = skeleton(request, response_id, answer.model, answer.created)
    logprobs = [write_logprob(token) for token in choice.logprobs or ()]
    writer = _ItemWriter(response_id, logprobs=logprobs)
    response["output"] = writer.items(choice.parts, partial=choice.stop in INCOMPLETE)
    response["service_tier"] = tier_of(answer.service_tier, response["service_tier"])
    response["usage"] = write_usage(answer.usage)
    return msgspec.json.encode(finished(response, choice.stop))


def finished(response: dict[str, Any], stop: StopReason | None) -> dict[str, Any]:
    """Set how a response ended."""
    reason = INCOMPLETE.get(stop or "stop")
    if reason is not None:
        return {**response, "status": "incomplete", "incomplete_details": {"reason": reason}}
    if stop == "error":
        error = {"code": "server_error", "message": "The model could not form its answer."}
        return {**response, "status": "failed", "error": error}
    return {**response, "status": "completed", "completed_at": int(time.time())}


class _ItemWriter:
    def __init__(self, response_id: str, *, logprobs: list[Any]) -> None:
        self._response_id = response_id
        self._logprobs = logprobs
        self._items: list[dict[str, Any]] = []
        self._built_in = BuiltInCalls()

    def items(self, parts: Sequence[Part], *, partial: bool) -> list[dict[str, Any]]:
        for part in parts:
            self._add(part)
        for item in self._items:
            if item["type"] == "message":
                item["status"] = "completed"
        if partial and self._items and self._items[-1]["type"] in _MAY_BREAK_OFF:
            self._items[-1]["status"] = "incomplete"
        return self._items

    def _id(self, prefix: str) -> str:
        return item_id(prefix, self._response_id, len(self._items))

    def _add(self, part: Part) -> None:
        match part:
            case Text():
                notes = [write_citation(citation, len(part.text)) for citation in part.citations]
                self._say(output_text(part.text, notes, self._logprobs))
                self._logprobs = []
            case Refusal(text=text):
                self._say({"type": "refusal", "refusal": text})
            case Audio(transcript=str(transcript)):
                self._say(output_text(transcript, [], []))
            case Thinking():
                own = part.id if part.origin == DIALECT and part.id else self._id(FOREIGN)
                self._items.append(reasoning_item(own, part.text, seal(part)))
            case ToolCall():
                if part.signature:
                    sealed = seal_call(part.id, part.signature)
                    self._items.append(reasoning_item(self._id(FOREIGN), "", sealed))
                self._items.append(call_item(self._id("ctc" if part.custom else "fc"), part))
            case Image():
                self._items.append(image_item(self._id("ig"), part.source.data or ""))
            case Foreign():
                self._foreign(part)
            case _:
                pass  # foreign to this API: there is no item for it

    def _foreign(self, part: Foreign) -> None:
        if part.dialect == DIALECT:
            self._items.append(part.value)
        for item in self._built_in.part(part):
            self._items.append({"id": self._id(prefix_of(item)), **item})

    def _say(self, words: dict[str, Any]) -> None:
        if not self._items or self._items[-1]["type"] != "message":
            head = {"id": self._id("msg"), "type": "message", "role": "assistant"}
            self._items.append({**head, "content": []})
        self._items[-1]["content"].append(words)


def output_text(text: str, annotations: list[Any], logprobs: list[Any]) -> dict[str, Any]:
    """Make a part of a message."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


def reasoning_item(id: str, text: str, encrypted: str | None) -> dict[str, Any]:
    """Make the item of a thought."""
    summary = [{"type": "summary_text", "text": text}] if text else []
    fields: dict[str, Any] = {"id": id, "type": "reasoning", "summary": summary}
    return {**fields, "encrypted_content": encrypted} if encrypted else fields


def call_item(id: str, call: ToolCall, *, status: str = "completed") -> dict[str, Any]:
    """Make the item of a tool call."""
    fields = {"id": id, "call_id": call.id, "name": call.name, "status": status}
    if call.custom:
        return {**fields, "type": "custom_tool_call", "input": call.arguments}
    return {**fields, "type": "function_call", "arguments": call.arguments}


def image_item(id: str, data: str) -> dict[str, Any]:
    """Make the item of a picture that the model made."""
    return {"id": id, "type": "image_generation_call", "status": "completed", "result": data}
