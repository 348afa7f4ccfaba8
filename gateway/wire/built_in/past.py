"""What tools of a provider did in earlier turns, when another provider goes on with the conversation."""

from __future__ import annotations

from typing import Final

from gateway.wire.canonical import Foreign

BUILT_IN_CALLS: Final = "built_in_calls"
"""Under which name such calls may be left out: what they found is in the words that followed."""
_CALLS: Final = frozenset(
    {
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "mcp_call",
        "mcp_list_tools",
        "server_tool_use",
        "mcp_tool_use",
        "executableCode",
        "codeExecutionResult",
    }
)
_RESULT: Final = "_tool_result"


def lost_name(part: Foreign) -> str:
    """Under which name a part of a message that cannot be said is told to `Losses`."""
    ran = part.type in _CALLS or part.type.endswith(_RESULT)
    return BUILT_IN_CALLS if ran else f"messages.{part.type}"
