"""Gemini's endpoints: the path names model and method, the query perhaps the key. https://ai.google.dev/api/all-methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.types import Receive, Scope, Send

from gateway.api.call import CallEndpoint
from gateway.api.gemini_array import ArraySend
from gateway.api.reply import HttpReply
from gateway.errors import InvalidRequest
from gateway.types import Dialect
from gateway.wire import WIRES, Given

METHODS: Final[Mapping[str, tuple[Dialect, bool]]] = {
    "generateContent": ("gemini.generate", False),
    "streamGenerateContent": ("gemini.generate", True),
    "countTokens": ("gemini.count_tokens", False),
    "embedContent": ("gemini.embed", False),
    "batchEmbedContents": ("gemini.embed", False),
}
"""Dialect of each method, and whether it streams."""
ASIDE: Final = (":batchGenerateContent", ":asyncBatchEmbedContent", ":cancel")
"""How paths of methods end that make no call: they are about batches."""
KEY_HEADER: Final = b"x-goog-api-key"


class GeminiEndpoint:
    """Every method below `/v1beta/`, and `/v1/models/MODEL:METHOD`."""

    def __init__(self, calls: Mapping[Dialect, CallEndpoint]) -> None:
        self._calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the path, and hand over to the dialect's endpoint."""
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        name, _, method = path.rpartition(":")
        _, _, model = name.lstrip("/").partition("/")
        known = METHODS.get(method)
        if known is None or not model.startswith(("models/", "tunedModels/")):
            refusal = InvalidRequest(
                f"Unknown request URL: POST {path}. A call goes to /v1beta/models/MODEL:METHOD, with a method "
                f"out of {', '.join(METHODS)}.",
                status=404,
                code="unknown_url",
            )
            await HttpReply(WIRES["gemini.generate"], receive, send).fail(refusal)
            return
        dialect, stream = known
        query = take_key(scope)
        if stream and "sse" not in {query.get("alt"), query.get("$alt")}:
            send = ArraySend(send)
        given = Given(model=model.removeprefix("models/"), stream=stream)
        await self._calls[dialect](scope, receive, send, given)


def take_key(scope: Scope) -> Mapping[str, str]:
    """Move a key from the query to the header for it, so that no log shows it; return what else the query says."""
    query: bytes = scope.get("query_string", b"")
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    rest = [(name, value) for name, value in pairs if name != "key"]
    if len(rest) < len(pairs):
        scope["query_string"] = urlencode(rest).encode()
        if not any(name == KEY_HEADER for name, _ in scope["headers"]):
            key = next(value for name, value in pairs if name == "key")
            scope["headers"] = [*scope["headers"], (KEY_HEADER, key.encode("latin-1", "replace"))]
    return dict(rest)
