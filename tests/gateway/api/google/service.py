"""Google's files, caches and batches, played: it keeps what it is given, and carries out batches when told."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from gateway.testing.upstream import FakeUpstream, Reply

JSON = {"content-type": "application/json"}
PIECE = 8 * 2**20


def said(fields: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status=status, headers={**JSON, **(headers or {})}, parts=[json.dumps(fields).encode()])


def answer(text: str, prompt: int = 1000, completion: int = 100) -> dict[str, Any]:
    usage = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": completion,
        "totalTokenCount": prompt + completion,
    }
    content = {"role": "model", "parts": [{"text": text}]}
    return {
        "candidates": [{"content": content, "finishReason": "STOP", "index": 0}],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-flash",
    }


class Google(FakeUpstream):
    """One account."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, bytes] = {}
        self.state = "BATCH_STATE_PENDING"
        self.output: dict[str, Any] = {}
        self.broken: set[str] = set()
        """Paths that are answered with 503."""
        self._uploads: dict[str, bytes] = {}
        self._kinds: dict[str, str] = {}

    def ends(self, *results: dict[str, Any], state: str = "SUCCEEDED") -> None:
        """Let the batch end, with results in itself."""
        self.state = f"BATCH_STATE_{state}"
        self.output = {"inlinedResponses": {"inlinedResponses": list(results)}} if results else {}

    def ends_in_a_file(self, *lines: dict[str, Any]) -> None:
        """Let the batch end, with a file of results."""
        self.state = "BATCH_STATE_SUCCEEDED"
        self.files["batch-out"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.output = {"responsesFile": "files/batch-out"}

    def _batch(self) -> dict[str, Any]:
        done = self.state in {f"BATCH_STATE_{end}" for end in ("SUCCEEDED", "FAILED", "CANCELLED", "EXPIRED")}
        metadata: dict[str, Any] = {
            "name": "batches/b1",
            "state": self.state,
            "model": "models/gemini-2.5-flash",
        }
        fields: dict[str, Any] = {"name": "batches/b1", "metadata": metadata}
        if self.output:
            metadata["output"] = fields["response"] = self.output
        return {**fields, "done": True} if done else fields

    def _file(self, id: str) -> dict[str, Any]:
        size = str(len(self.files[id]))
        return {
            "name": f"files/{id}",
            "uri": f"https://generativelanguage.googleapis.com/v1beta/files/{id}",
            "sizeBytes": size,
            "mimeType": self._kinds.get(id, "text/plain"),
            "state": "ACTIVE",
        }

    def _upload(self, headers: Any, path: str, body: bytes) -> Reply:
        if headers["x-goog-upload-command"] == "start":
            number = f"u{len(self._uploads)}"
            self._uploads[number] = b""
            self._kinds[f"file-{number}"] = headers["x-goog-upload-header-content-type"]
            url = f"https://upload.example.com/upload/v1/files?upload_id={number}&upload_protocol=resumable"
            status = {"x-goog-upload-status": "active", "x-goog-upload-url": url}
            return said({}, headers={**status, "x-goog-upload-control-url": url})
        number = path.partition("upload_id=")[2].partition("&")[0]
        assert int(headers["x-goog-upload-offset"]) == len(self._uploads[number])
        self._uploads[number] += body
        if "finalize" not in headers["x-goog-upload-command"]:
            return said({}, headers={"x-goog-upload-status": "active"})
        self.files[f"file-{number}"] = self._uploads[number]
        return said({"file": self._file(f"file-{number}")}, headers={"x-goog-upload-status": "final"})

    def _said(self) -> Reply:  # noqa: PLR0911 - one for each path
        request = self.requests[-1]
        path, _, query = request.path.replace("/v1beta/", "/v1/").partition("?")
        if path in self.broken:
            return said({"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}}, 503)
        if path == "/upload/v1/files":
            return self._upload(request.headers, request.path, request.body)
        name = path.removeprefix("/v1/files/")
        if name.removesuffix(":download") in self.files:
            if name.endswith(":download"):
                assert query == "alt=media"
                return Reply(parts=[self.files[name.removesuffix(":download")]])
            if request.method == "DELETE":
                del self.files[name]
                return said({})
            return said(self._file(name))
        if path == "/v1/cachedContents" or path.startswith("/v1/cachedContents/"):
            model = json.loads(request.body or b"{}").get("model", "models/gemini-2.5-flash")
            return said(
                {"name": "cachedContents/c1", "model": model, "usageMetadata": {"totalTokenCount": 9}}
            )
        if path.endswith(":cancel"):
            self.state = "BATCH_STATE_CANCELLED"
            return said({})
        if path.endswith((":generateContent", ":countTokens")):
            return said({**answer("Read."), "totalTokens": 5})
        if path.endswith(":streamGenerateContent"):
            event = b"data: " + json.dumps(answer("Read.")).encode() + b"\r\n\r\n"
            return Reply(headers={"content-type": "text/event-stream"}, parts=[event])
        if ":" in path or path == "/v1/batches/b1":
            return said({} if request.method == "DELETE" else self._batch())
        return said({"error": {"code": 404, "message": "No such thing.", "status": "NOT_FOUND"}}, 404)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._replies = deque([self._said()])
        await super()._answer(reader, writer)
