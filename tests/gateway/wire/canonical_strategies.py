"""Hypothesis strategies for the canonical form of requests. What a dialect can say is told by `Features`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from hypothesis import strategies as st

from gateway.types import Dialect
from gateway.wire.canonical import (
    Audio,
    AudioOutput,
    CacheHint,
    ChatRequest,
    Citation,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    ResponseFormat,
    Role,
    Source,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
    Video,
)


@dataclass(frozen=True, kw_only=True)
class Features:
    """What a dialect can say; by default nothing but text, and tools."""

    dialect: Dialect
    opening: tuple[Role, ...] = ("system",)
    """Roles of the instructions before the first turn; one message of one of them, or none."""
    names: bool = False
    """Messages of the user and of the system may have names."""
    data_images: bool = False
    url_images: bool = False
    details: tuple[str, ...] = ()
    """How closely a model may be asked to look at a picture."""
    audio: tuple[str, ...] = ()
    """Media types of sound that may be sent."""
    video: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    """Media types of documents that may be sent as base64."""
    document_names: bool = False
    text_documents: bool = False
    document_notes: bool = False
    """Documents may have a context, and the wish that they be cited."""
    files: bool = False
    """Images and documents may be ids of files."""
    caches: tuple[str | None, ...] = ()
    """Times to live of cache hints."""
    cached: frozenset[str] = frozenset()
    """Where cache hints may stand beside the words, pictures and documents of the user's: `audio`, `assistant`, `tools`, `results`."""
    thinking: bool = False
    """Thoughts with signatures of the dialect's own in assistant messages."""
    encrypted: bool = False
    refusals: bool = False
    tools: bool = True
    strict: bool = False
    custom_tools: bool = False
    allowed_tools: bool = False
    result_names: bool = False
    result_errors: bool = False
    result_images: bool = False
    schemas: bool = False
    """`response_format` of type json_schema."""
    schema_names: bool = False
    cited_turns: tuple[str, ...] = ()
    """Kinds of citations, as in `citations`, that earlier answers may have in a request."""
    tiers: tuple[str, ...] = ()
    """Service tiers that may be asked for."""
    fields: frozenset[str] = frozenset()
    """Those of `FIELDS`, `reasoning_effort` and `reasoning_budget`."""
    # Of answers only:
    choices: int = 1
    citations: tuple[str, ...] = ()
    """Kinds of citations: of a `stretch` of the text, of an `address` as a whole, of a `place` in a document."""
    logprobs: bool = False
    top_logprobs: bool = False
    token_bytes: bool = False
    refusal_logprobs: bool = False
    pictures: bool = False
    sound: bool = False
    """Answers may be spoken."""
    safety: tuple[Any, ...] = ()
    """Safety results that can be told."""
    sequences: bool = False
    """The words that ended an answer are told with `stop_sequence`."""
    served: tuple[str, ...] = ()
    """Service tiers that an answer may come from."""
    stops: tuple[str, ...] = ("stop", "length")
    """Without `tool_calls`, which is given where there are some."""
    usage: frozenset[str] = frozenset({"cached_read_tokens"})
    """Fields of `Usage` beyond prompt and completion."""


def words(longest: int = 40) -> st.SearchStrategy[str]:
    """Any text that JSON can carry, never empty."""
    return st.text(st.characters(codec="utf-8"), min_size=1, max_size=longest)


identifiers = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)
base64_data = st.binary(min_size=1, max_size=30).map(lambda data: base64.b64encode(data).decode())
addresses = identifiers.map(lambda name: f"https://files.example.com/{name}")
schemas: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    identifiers, st.sampled_from([{"type": "string"}, {"type": "integer"}]), max_size=3
).map(
    lambda properties: {
        "type": "object",
        "properties": properties,
        "required": sorted(properties),
        "additionalProperties": False,
    }
)
_scalars: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-(2**50), 2**50) | st.floats(-1e9, 1e9) | words(10)
)
arguments: st.SearchStrategy[str] = st.dictionaries(
    identifiers, _scalars | st.lists(_scalars, max_size=3), max_size=3
).map(lambda fields: msgspec.json.encode(fields).decode())
"""Of a function call: a JSON object as text, without needless spaces."""
_fractions = st.integers(0, 8).map(lambda eighths: eighths / 8)
_penalties = st.integers(-8, 8).map(lambda quarters: quarters / 4)

_NOTHING: st.SearchStrategy[None] = st.none()

FIELDS: Mapping[str, st.SearchStrategy[Any]] = {
    "max_tokens": st.integers(1, 100_000),
    "temperature": _fractions,
    "top_p": _fractions,
    "top_k": st.integers(1, 100),
    "stop": st.lists(words(8), min_size=1, max_size=4, unique=True).map(tuple),
    "seed": st.integers(0, 2**31 - 1),
    "n": st.integers(1, 4),
    "presence_penalty": _penalties,
    "frequency_penalty": _penalties,
    "logit_bias": st.dictionaries(
        st.integers(0, 99_999).map(str), st.integers(-100, 100).map(float), min_size=1, max_size=3
    ),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 20),
    "verbosity": st.sampled_from(["low", "medium", "high"]),
    "user": identifiers,
    "metadata": st.dictionaries(identifiers, words(10), min_size=1, max_size=3),
    "store": st.booleans(),
    "cache_key": identifiers,
    "modalities": st.sampled_from([("text",), ("text", "audio")]),
    "audio": st.builds(
        AudioOutput, voice=st.sampled_from(["alloy", "verse"]), format=st.sampled_from(["mp3", "wav"])
    ),
    "parallel_tool_calls": st.booleans(),
}
"""Fields of `ChatRequest` that stand for themselves."""


def _cache(features: Features, place: str = "") -> st.SearchStrategy[CacheHint | None]:
    hints = [CacheHint(ttl) for ttl in features.caches if not place or place in features.cached]
    return st.none() | st.sampled_from(hints) if hints else st.none()


@st.composite
def cited(
    draw: st.DrawFn, kinds: tuple[str, ...], cache: st.SearchStrategy[CacheHint | None] = _NOTHING
) -> Text:
    """A text with at most two citations of these kinds, whose stretches lie within it."""
    text = draw(words())
    found: list[Citation] = []
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=2)) if kinds else ():
        source: dict[str, Any] = {"title": draw(words(10))}
        if kind == "place":
            unit = draw(st.sampled_from(["char", "page", "block"]))
            source |= {"document": draw(st.integers(0, 3)), "location": (unit, draw(st.integers(0, 5)), 6)}
        else:
            source["url"] = draw(addresses)
        if kind == "stretch":
            start = draw(st.integers(0, len(text)))
            source |= {"start": start, "end": draw(st.integers(start, len(text)))}
        else:
            source["cited"] = draw(words(10))
        found.append(Citation(**source))
    return Text(text=text, citations=tuple(found), cache=draw(cache))


def texts(features: Features) -> st.SearchStrategy[Text]:
    """Text parts."""
    return st.builds(Text, text=words(), cache=_cache(features))


def media(features: Features) -> list[st.SearchStrategy[Part]]:
    """The parts other than text that a user's message may hold."""
    cache = _cache(features)
    kinds: list[st.SearchStrategy[Part]] = []
    images: list[st.SearchStrategy[Source]] = []
    documents: list[st.SearchStrategy[Source]] = []
    if features.data_images:
        images.append(
            st.builds(Source, media_type=st.sampled_from(["image/png", "image/jpeg"]), data=base64_data)
        )
    if features.url_images:
        images.append(st.builds(Source, url=addresses))
    if features.documents:
        documents.append(st.builds(Source, media_type=st.sampled_from(features.documents), data=base64_data))
    if features.text_documents:
        documents.append(st.builds(Source, media_type=st.just("text/plain"), text=words()))
    if features.files:
        documents.append(st.builds(Source, file=identifiers))
    if images:
        detail = st.sampled_from([None, *features.details])
        kinds.append(st.builds(Image, source=st.one_of(images), detail=detail, cache=cache))
    if documents:
        name = st.none() | identifiers.map("{}.pdf".format) if features.document_names else st.none()
        notes = (
            {"context": st.none() | words(10), "citations": st.booleans()} if features.document_notes else {}
        )
        kinds.append(st.builds(Document, source=st.one_of(documents), name=name, cache=cache, **notes))
    for types, kind in ((features.audio, Audio), (features.video, Video)):
        if types:
            source = st.builds(Source, media_type=st.sampled_from(types), data=base64_data)
            kinds.append(st.builds(kind, source=source, cache=_cache(features, "audio")))
    return kinds


def thoughts(features: Features) -> st.SearchStrategy[Thinking]:
    """Thoughts that the dialect itself has signed, and perhaps ones that only it can read."""
    signed = st.builds(Thinking, text=words(), signature=base64_data, origin=st.just(features.dialect))
    if not features.encrypted:
        return signed
    return signed | st.builds(Thinking, encrypted=base64_data, origin=st.just(features.dialect))


@st.composite
def calls(draw: st.DrawFn, features: Features, names: tuple[str, ...], first: int = 0) -> list[ToolCall]:
    """One to three calls of functions, their ids counted from `first`."""
    given = draw(st.lists(st.tuples(st.sampled_from(names), arguments), min_size=1, max_size=3))
    return [
        ToolCall(id=f"call_{first + number}", name=name, arguments=text)
        for number, (name, text) in enumerate(given)
    ]


@st.composite
def _turn(draw: st.DrawFn, features: Features, names: tuple[str, ...], first: int) -> list[Message]:
    """An assistant's message; with calls also their results."""
    parts: list[Part] = []
    if features.thinking:
        parts += draw(st.lists(thoughts(features), max_size=2))
    text = cited(features.cited_turns, _cache(features, "assistant"))
    parts += draw(st.lists(text, min_size=0 if names else 1, max_size=2))
    if features.refusals and draw(st.booleans()):
        parts.append(Refusal(text=draw(words())))
    made = draw(calls(features, names, first)) if names and (not parts or draw(st.booleans())) else []
    if not (made or any(isinstance(part, Text | Refusal) for part in parts)):
        parts.append(draw(text))
    turn = [Message(role="assistant", parts=(*parts, *made))]
    if made:
        turn.append(Message(role="tool", parts=tuple(draw(_result(features, call)) for call in made)))
    return turn


@st.composite
def _result(draw: st.DrawFn, features: Features, call: ToolCall) -> ToolResult:
    content: list[Part] = [draw(texts(features))]
    if features.result_images:
        source = st.builds(Source, media_type=st.just("image/png"), data=base64_data)
        content += draw(st.lists(st.builds(Image, source=source), max_size=1))
    return ToolResult(
        id=call.id,
        name=call.name if features.result_names else None,
        content=tuple(content),
        is_error=features.result_errors and draw(st.booleans()),
        cache=draw(_cache(features, "results")),
    )


@st.composite
def conversations(draw: st.DrawFn, features: Features, names: tuple[str, ...]) -> tuple[Message, ...]:
    """Instructions, then turns; the last word is the user's or a tool's. `names` are those of the functions."""
    name = st.none() | identifiers if features.names else st.none()
    messages: list[Message] = []
    if features.opening and draw(st.booleans()):
        parts = draw(st.lists(texts(features), min_size=1, max_size=2))
        role = draw(st.sampled_from(features.opening))
        messages.append(Message(role=role, parts=tuple(parts), name=draw(name)))
    user = st.lists(st.one_of(texts(features), *media(features)), min_size=1, max_size=3).map(tuple)
    messages.append(Message(role="user", parts=draw(user), name=draw(name)))
    for number in range(draw(st.integers(0, 2))):
        messages += draw(_turn(features, names, 10 * number))
        if messages[-1].role == "assistant" or draw(st.booleans()):
            messages.append(Message(role="user", parts=draw(user), name=draw(name)))
    return tuple(messages)


@st.composite
def requests(draw: st.DrawFn, features: Features) -> ChatRequest:
    """Whole requests, whose model is `a-model`."""
    tools = draw(_tools(features)) if features.tools else ()
    functions = tuple(tool.name for tool in tools if not tool.custom)
    fields = {
        name: draw(strategy)
        for name, strategy in FIELDS.items()
        if name in features.fields and draw(st.booleans())
    }
    if features.tiers and draw(st.booleans()):
        fields["service_tier"] = draw(st.sampled_from(features.tiers))
    return ChatRequest(
        dialect=features.dialect,
        model="a-model",
        messages=draw(conversations(features, functions)),
        tools=tools,
        tool_choice=draw(_choice(features, functions)) if tools else None,
        response_format=draw(_format(features)),
        reasoning=draw(_reasoning(features)),
        **fields,
    )


@st.composite
def _tools(draw: st.DrawFn, features: Features) -> tuple[Tool, ...]:
    strict = st.none() | st.booleans() if features.strict else st.none()
    function = st.builds(
        Tool,
        name=identifiers,
        description=st.none() | words(),
        parameters=schemas,
        strict=strict,
        cache=_cache(features, "tools"),
    )
    custom = st.builds(Tool, name=identifiers, description=st.none() | words(), custom=st.just(value=True))
    kinds = function | custom if features.custom_tools else function
    return tuple(draw(st.lists(kinds, max_size=3, unique_by=lambda tool: tool.name)))


def _choice(features: Features, names: tuple[str, ...]) -> st.SearchStrategy[ToolChoice | None]:
    choices = [None, ToolChoice(mode="auto"), ToolChoice(mode="none"), ToolChoice(mode="required")]
    choices += [ToolChoice(mode="required", names=names[:1])] if names else []
    if features.allowed_tools and len(names) > 1:
        choices += [ToolChoice(mode="auto", names=names), ToolChoice(mode="required", names=names)]
    return st.sampled_from(choices)


def _format(features: Features) -> st.SearchStrategy[ResponseFormat | None]:
    if not features.schemas:
        return st.none()
    shape = st.builds(
        ResponseFormat,
        type=st.just("json_schema"),
        name=identifiers if features.schema_names else st.none(),
        schema=schemas,
        strict=st.none() | st.booleans() if features.strict else st.none(),
    )
    return st.none() | shape


def _reasoning(features: Features) -> st.SearchStrategy[Reasoning | None]:
    kinds: list[st.SearchStrategy[Reasoning | None]] = [st.none()]
    if "reasoning_effort" in features.fields:
        efforts = st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh"])
        kinds.append(st.builds(Reasoning, effort=efforts))
    if "reasoning_budget" in features.fields:
        kinds.append(st.builds(Reasoning, budget=st.integers(1024, 32_000)))
    return st.one_of(kinds)
