"""Makes a conversation that goes to Anthropic untranslated one that it takes, when another provider has answered before.

Thoughts of others, whose signatures it would refuse, are taken out; and it does not think on after the results of tools that
others have called, for with a budget for thinking it takes these only behind a thought of its own.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

import msgspec

from gateway.wire.anthropic_messages.seals import MARK
from gateway.wire.anthropic_messages.thinking import calls_unthought
from gateway.wire.body import UNREADABLE
from gateway.wire.foreign import without

_SIGNS: Final = (f'"{MARK}'.encode(), b'"signature":""', b'"signature": ""')
"""One of these is in every body that holds such a thought, unless it was written oddly."""
_OTHERS_CALL: Final = re.compile(rb'"tool_use_id": ?"(?!toolu_|tooluse_)')
"""A result of a call that, by its id, was not made by Claude, be it at Anthropic's, at Amazon's or at Google's."""
_CLEARS_THOUGHTS: Final = "clear_thinking_"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def as_if_its_own(body: bytes) -> bytes:
    """Return the body as Anthropic takes it; the same bytes where nothing is in the way."""
    calls = b'"budget_tokens"' in body and _OTHERS_CALL.search(body)
    if not (calls or any(sign in body for sign in _SIGNS)):
        return body
    try:
        fields = _decode(body)
    except UNREADABLE:
        return body  # the provider will say what is wrong with it
    messages = fields.get("messages")
    if not isinstance(messages, list):
        return body
    turns = without(cast("list[Any]", messages), "content", _is_foreign)
    unthought = bool(calls) and _has_budget(fields.get("thinking")) and _goes_on(turns)
    if turns == messages and not unthought:
        return body
    fields["messages"] = turns
    if unthought:
        fields["thinking"] = {"type": "disabled"}
        _clear_no_thoughts(fields)
    return msgspec.json.encode(fields)


def _clear_no_thoughts(fields: dict[str, Any]) -> None:
    """Take out what is refused without thinking. https://platform.claude.com/docs/en/build-with-claude/context-editing."""
    managed = fields.get("context_management")
    edits = cast("dict[str, Any]", managed).get("edits") if isinstance(managed, dict) else None
    if not isinstance(edits, list):
        return
    kept = [edit for edit in cast("list[Any]", edits) if not _clears_thoughts(edit)]
    if kept:
        fields["context_management"] = {**cast("dict[str, Any]", managed), "edits": kept}
    else:
        del fields["context_management"]


def _clears_thoughts(edit: Any) -> bool:
    return isinstance(edit, dict) and str(cast("dict[str, Any]", edit).get("type")).startswith(
        _CLEARS_THOUGHTS
    )


def _has_budget(thinking: Any) -> bool:
    return isinstance(thinking, dict) and cast("dict[str, Any]", thinking).get("type") == "enabled"


def _goes_on(turns: list[Any]) -> bool:
    """Whether the last turn has results of tools that were called without a thought."""
    try:
        return calls_unthought(turns)
    except (AttributeError, KeyError, TypeError, IndexError):
        return False  # the provider will say what is wrong with it


def _is_foreign(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    fields = cast("dict[str, Any]", block)
    if fields.get("type") == "thinking":
        return fields.get("signature") == "" or str(fields.get("signature")).startswith(MARK)
    return fields.get("type") == "redacted_thinking" and str(fields.get("data")).startswith(MARK)
