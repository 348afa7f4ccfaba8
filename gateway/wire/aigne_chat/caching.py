"""Where a prompt is worth caching, when the client leaves that to whoever asks the model.

The usual places are those of @aigne/anthropic: after the tools, and after the instructions.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gateway.wire.aigne_chat.shapes import AutoBreakpoints, CacheConfig
from gateway.wire.canonical import CacheHint, Foreign, Message, Part, Refusal, Thinking, Tool


def mark_messages(messages: tuple[Message, ...], config: CacheConfig | None) -> tuple[Message, ...]:
    """Mark the end of the instructions and, where it is asked for, that of the last message."""
    if config is None or not _is_automatic(config) or any(_is_marked(m.parts) for m in messages):
        return messages
    auto, marked = config.auto_breakpoints or AutoBreakpoints(), list(messages)
    system = [number for number, message in enumerate(messages) if message.role == "system"]
    places = {system[-1]} if system and auto.system else set[int]()
    if messages and auto.last_message:
        places.add(len(messages) - 1)
    for number in places:
        marked[number] = _marked(messages[number], _hint(config))
    return tuple(marked)


def mark_tools(tools: tuple[Tool, ...], config: CacheConfig | None) -> tuple[Tool, ...]:
    """Mark the end of the tools."""
    if not tools or config is None or not _is_automatic(config) or any(tool.cache for tool in tools):
        return tools
    auto = config.auto_breakpoints or AutoBreakpoints()
    return (*tools[:-1], replace(tools[-1], cache=_hint(config))) if auto.tools else tools


def _is_automatic(config: CacheConfig) -> bool:
    return config.enabled and config.strategy == "auto"


def _is_marked(parts: Sequence[Part]) -> bool:
    return any(getattr(part, "cache", None) is not None for part in parts)


def _hint(config: CacheConfig) -> CacheHint:
    return CacheHint("1h" if config.ttl == "1h" else None)


def _marked(message: Message, hint: CacheHint) -> Message:
    if not message.parts:
        return message
    *before, last = message.parts
    if isinstance(last, Thinking | Refusal | Foreign):
        return message
    return replace(message, parts=(*before, replace(last, cache=hint)))
