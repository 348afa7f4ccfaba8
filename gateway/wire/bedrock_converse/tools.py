"""Tools and the choice between them.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html
"""

from __future__ import annotations

from typing import Any

from gateway.wire.bedrock_converse.blocks import DIALECT, cache_point
from gateway.wire.canonical import ChatRequest, Foreign, Tool, ToolCall, ToolChoice, ToolResult
from gateway.wire.codec import Losses


def tool_config(request: ChatRequest, losses: Losses) -> dict[str, Any]:
    """Write `toolConfig`; {} without tools.

    Converse cannot forbid the use of tools, so then they are left out, which only a conversation without tool calls
    allows. Where only some may be used, the others are left out.
    """
    choice = request.tool_choice
    if choice is not None and choice.mode == "none":
        if request.tools and _has_calls(request):
            losses.cannot("tool_choice")
        return {}
    only = choice.names if choice is not None else ()
    tools: list[dict[str, Any]] = []
    for tool in request.tools:
        if isinstance(tool, Foreign):
            tools += _foreign(tool, losses)
        elif tool.custom:
            losses.cannot("tools.custom")
        elif not only or tool.name in only or (choice is not None and _is_one(choice)):
            tools += _function(tool)
    if not tools:
        return {}
    return {"tools": tools, **({"toolChoice": _choice(choice)} if choice is not None else {})}


def _function(tool: Tool) -> list[dict[str, Any]]:
    spec: dict[str, Any] = {"name": tool.name}
    if tool.description:
        spec["description"] = tool.description
    spec["inputSchema"] = {"json": {"type": "object"} if tool.parameters is None else tool.parameters}
    if tool.strict:
        spec["strict"] = True
    return [{"toolSpec": spec}, *([cache_point(tool.cache)] if tool.cache is not None else [])]


def _foreign(tool: Foreign, losses: Losses) -> list[dict[str, Any]]:
    if tool.dialect == DIALECT:
        return [tool.value]
    losses.cannot(f"tools.{tool.type}")
    return []


def _is_one(choice: ToolChoice) -> bool:
    return choice.mode == "required" and len(choice.names) == 1


def _choice(choice: ToolChoice) -> dict[str, Any]:
    if _is_one(choice):
        return {"tool": {"name": choice.names[0]}}
    return {"any": {}} if choice.mode == "required" else {"auto": {}}


def _has_calls(request: ChatRequest) -> bool:
    return any(
        isinstance(part, ToolCall | ToolResult) for message in request.messages for part in message.parts
    )
