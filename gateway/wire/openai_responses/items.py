"""The items of `input`, as turns of a conversation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.wire.canonical import (
    Foreign,
    Message,
    Part,
    Role,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from gateway.wire.openai_responses.content import decode_parts, object_of, read_as
from gateway.wire.openai_responses.sealed import DIALECT, unseal

_ROLES: Final[Mapping[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "developer",
}


class _Call(Struct):
    call_id: str
    name: str
    arguments: str


class _CustomCall(Struct):
    call_id: str
    name: str
    input: str


class _Result(Struct):
    call_id: str
    output: str | list[Any]


_THOUGHTS: Final = "rs_"
"""How the ids of reasoning items begin."""


class _Reference(Struct):
    id: str


class _Reasoning(Struct):
    summary: list[Any] = []
    content: list[Any] | None = None
    encrypted_content: str | None = None
    id: str | None = None


class Turns:
    """Puts items together to messages: what the model did in one turn is one message, and so are the results of its tools."""

    def __init__(self) -> None:
        self._messages: list[Message] = []
        self._role: Role | None = None
        self._parts: list[Part] = []
        self._signatures: dict[str, str] = {}
        self._readers: Mapping[str, Callable[[Mapping[str, Any], str], None]] = {
            "message": self._message,
            "function_call": self._call,
            "custom_tool_call": self._custom_call,
            "function_call_output": self._result,
            "custom_tool_call_output": self._result,
            "reasoning": self._reasoning,
            "item_reference": self._reference,
        }

    def read(self, items: Any) -> tuple[Message, ...]:
        """Read `input`. Raises `InvalidRequest` naming the item at fault."""
        if isinstance(items, str):
            return (Message(role="user", parts=(Text(text=items),)),)
        if not isinstance(items, list):
            raise InvalidRequest(
                "Invalid type for 'input': expected text or an array of items.",
                param="input",
                code="invalid_type",
            )
        for place, item in enumerate(cast("list[Any]", items)):
            where = f"input[{place}]"
            fields = object_of(item, where)
            kind = fields.get("type") or ("message" if "role" in fields else "item_reference")
            if not isinstance(kind, str):
                raise InvalidRequest(
                    f"Invalid type for '{where}.type': expected a text.",
                    param=f"{where}.type",
                    code="invalid_type",
                )
            read = self._readers.get(kind)
            if read is None:
                self._foreign(kind, fields)
            else:
                read(fields, where)
        self._close()
        return tuple(self._messages)

    def _message(self, fields: Mapping[str, Any], where: str) -> None:
        role = _ROLES.get(str(fields.get("role")))
        if role is None:
            raise InvalidRequest(
                f"Invalid value for '{where}.role': {fields.get('role')!r}. "
                "Supported values are user, assistant, system and developer.",
                param=f"{where}.role",
                code="invalid_value",
            )
        parts = decode_parts(fields.get("content"), f"{where}.content")
        said = any(not isinstance(part, Thinking | Foreign) for part in self._parts)
        if role != "assistant" or self._role != "assistant" or said:
            self._close()
        self._add(role, *parts)
        if role != "assistant":
            self._close()

    def _call(self, fields: Mapping[str, Any], where: str) -> None:
        call = read_as(_Call, fields, where)
        signature = self._signatures.pop(call.call_id, None)
        self._add(
            "assistant",
            ToolCall(id=call.call_id, name=call.name, arguments=call.arguments, signature=signature),
        )

    def _custom_call(self, fields: Mapping[str, Any], where: str) -> None:
        call = read_as(_CustomCall, fields, where)
        self._add("assistant", ToolCall(id=call.call_id, name=call.name, arguments=call.input, custom=True))

    def _result(self, fields: Mapping[str, Any], where: str) -> None:
        result = read_as(_Result, fields, where)
        self._add(
            "tool",
            ToolResult(
                id=result.call_id,
                content=decode_parts(result.output, f"{where}.output"),
                custom=fields["type"] == "custom_tool_call_output",
            ),
        )

    def _reasoning(self, fields: Mapping[str, Any], where: str) -> None:
        found = read_as(_Reasoning, fields, where)
        sealed = unseal(found.encrypted_content)
        if sealed.call is not None:
            self._signatures[sealed.call] = sealed.signature or ""
            return
        shown = found.content or found.summary
        parts = decode_parts(shown, f"{where}.{'content' if found.content else 'summary'}")
        text = "\n\n".join(part.text for part in parts if isinstance(part, Text))
        self._add(
            "assistant",
            Thinking(
                text=text,
                signature=sealed.signature,
                encrypted=sealed.encrypted,
                id=found.id,
                origin=sealed.origin,
            ),
        )

    def _reference(self, fields: Mapping[str, Any], where: str) -> None:
        """Read what names an item of an earlier answer: thoughts as thoughts of which nothing else is known."""
        name = read_as(_Reference, fields, where).id
        if name.startswith(_THOUGHTS):
            self._add("assistant", Thinking(id=name, origin=DIALECT))
        else:
            self._foreign("item_reference", fields)

    def _foreign(self, kind: str, fields: Mapping[str, Any]) -> None:
        answers = kind.endswith(("_output", "_response", "_reference")) or kind == "additional_tools"
        part = Foreign(dialect=DIALECT, type=kind, value=fields)
        if answers:
            self._close()
            self._add("user", part)
            self._close()
        else:
            self._add("assistant", part)

    def _add(self, role: Role, *parts: Part) -> None:
        if role != self._role:
            self._close()
        self._role = role
        self._parts += parts

    def _close(self) -> None:
        if self._role is not None:
            self._messages.append(Message(role=self._role, parts=tuple(self._parts)))
        self._role = None
        self._parts = []
