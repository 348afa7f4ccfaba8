"""Writes replies as OpenAI's chat completions, whole and streamed.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from gateway_mock.reply import Reply, ToolCall, cut
from gateway_mock.request import ChatRequest

_CREATED = 1_700_000_000
"""Every answer claims to be of the same second, so that equal requests get equal bytes."""

_encode = msgspec.json.encode


class Completion(Struct, frozen=True, kw_only=True):
    """A reply and everything around it."""

    fingerprint: str
    """Hexadecimal digest of the request."""
    model: str
    request: ChatRequest
    reply: Reply
    reports_usage: bool
    cached_tokens: int

    def body(self) -> bytes:
        """Write the whole answer."""
        choices = [
            {
                "index": index,
                "message": self._message(),
                "logprobs": self._logprobs(self.reply.pieces),
                "finish_reason": self.reply.finish_reason,
            }
            for index in range(self.request.n or 1)
        ]
        answer = {**self._frame("chat.completion"), "choices": choices}
        if self.reports_usage:
            answer["usage"] = self._usage()
        return _encode(answer)

    def events(self) -> list[bytes]:
        """Write the answer as server-sent events, `[DONE]` included."""
        options = self.request.stream_options
        asks = options is not None and options.include_usage and self.reports_usage
        head = b"data: " + _encode(self._frame("chat.completion.chunk"))[:-1] + b',"choices":['
        tail = b'],"usage":null}\n\n' if asks else b"]}\n\n"
        count = self.request.n or 1
        events = [
            head + _encode(self._choice(i, *part)) + tail for part in self._parts() for i in range(count)
        ]
        if asks:
            events.append(head + b'],"usage":' + _encode(self._usage()) + b"}\n\n")
        events.append(b"data: [DONE]\n\n")
        return events

    def _frame(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.fingerprint[:24]}",
            "object": kind,
            "created": _CREATED,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_mock",
        }

    def _message(self) -> dict[str, Any]:
        reply = self.reply
        message: dict[str, Any] = {
            "role": "assistant",
            "content": None if reply.calls else "".join(reply.pieces),
            "refusal": None,
            "annotations": [],
        }
        if reply.reasoning:
            message["reasoning_content"] = "".join(reply.reasoning)
        if reply.calls:
            message["tool_calls"] = [_whole_call(call) for call in reply.calls]
        return message

    def _parts(self) -> Iterator[tuple[dict[str, Any], str | None, str | None]]:
        """Yield the deltas of one choice, each with the piece of content that logprobs are told of, and the end."""
        reply = self.reply
        start = {"role": "assistant", "content": None if reply.calls else "", "refusal": None}
        yield start, None, None
        for piece in reply.reasoning:
            yield {"reasoning_content": piece}, None, None
        for piece in reply.pieces:
            yield {"content": piece}, piece, None
        for index, call in enumerate(reply.calls):
            yield {"tool_calls": [{"index": index, **_whole_call(call, arguments="")}]}, None, None
            for piece in cut(call.arguments):
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, None, None
        yield {}, None, reply.finish_reason

    def _choice(
        self, index: int, delta: dict[str, Any], piece: str | None, end: str | None
    ) -> dict[str, Any]:
        logprobs = None if piece is None else self._logprobs([piece])
        return {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": end}

    def _logprobs(self, pieces: list[str]) -> dict[str, Any] | None:
        if not self.request.logprobs:
            return None
        others = self.request.top_logprobs or 0
        return {"content": [_logprob(piece, others) for piece in pieces], "refusal": None}

    def _usage(self) -> dict[str, Any]:
        prompt = self.request.prompt_tokens()
        choices = self.request.n or 1
        completion = self.reply.tokens() * choices
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": min(self.cached_tokens, prompt), "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": len(self.reply.reasoning) * choices,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }


def _whole_call(call: ToolCall, *, arguments: str | None = None) -> dict[str, Any]:
    given = call.arguments if arguments is None else arguments
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": given}}


def _logprob(piece: str, others: int) -> dict[str, Any]:
    """Claim to be fairly sure of the piece, and less and less of its alternatives."""
    tops = [_token(piece if rank == 0 else f"{piece}{rank}", rank) for rank in range(others)]
    return {**_token(piece, 0), "top_logprobs": tops}


def _token(text: str, rank: int) -> dict[str, Any]:
    return {"token": text, "logprob": -0.1 - rank, "bytes": list(text.encode())}
