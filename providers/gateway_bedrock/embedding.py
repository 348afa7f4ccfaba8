"""Embeddings over InvokeModel: one request for each text where the model takes but one, and the tokens it counted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from gateway.provider.several import send_each
from gateway.types import Answer, Attempt

COUNT_HEADER: Final = b"x-amzn-bedrock-input-token-count"

Send = Callable[[Attempt], Awaitable[Answer]]


async def send(attempt: Attempt, send_one: Send) -> Answer:
    """Send an attempt whose body is one request or an array of them; the answer is of the same kind, with the tokens counted."""

    async def counted(one: Attempt) -> Answer:
        return _counted(await send_one(one))

    return await send_each(attempt, counted)


def _counted(answer: Answer) -> Answer:
    """Put the number of tokens, which stands in a header for some families, where Titan has it."""
    count = next((value for name, value in answer.headers if name == COUNT_HEADER), b"")
    answer.headers = [header for header in answer.headers if header[0] != COUNT_HEADER]
    if count.isdigit() and b'"inputTextTokenCount"' not in answer.body:
        answer.body = answer.body.rstrip()[:-1] + b',"inputTextTokenCount":' + count + b"}"
    return answer
