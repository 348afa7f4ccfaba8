"""A function that a model may call, as OpenAI's chat completions describe one, and some others after them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.wire.canonical import Tool
from gateway.wire.codec import Losses

_NO_PARAMETERS: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}


def function_tool(tool: Tool, losses: Losses) -> dict[str, Any]:
    """Describe a function to a provider that insists on parameters, and knows no hints for caches."""
    if tool.cache:
        losses.cannot("cache_control")
    function: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        function["description"] = tool.description
    function["parameters"] = _NO_PARAMETERS if tool.parameters is None else tool.parameters
    return {"type": "function", "function": function}
