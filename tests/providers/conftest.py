"""What the tests of the providers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.types import Attempt, Call, Capability, Principal, Target

MakeAttempt = Callable[..., Attempt]


@pytest.fixture
def attempt() -> MakeAttempt:
    """Make the attempt that sends a JSON body; `attempt("hello")` is a short chat."""

    def make(
        said: str | dict[str, Any], *, model: str = "echo", capability: Capability = "chat", **fields: Any
    ) -> Attempt:
        body = {"messages": [{"role": "user", "content": said}]} if isinstance(said, str) else said
        body = {"model": model, **body, **fields}
        dialect = {"embedding": "openai.embeddings", "moderation": "openai.moderations"}.get(
            capability, "openai.chat"
        )
        call = Call(
            id="call_1",
            request_id="req_1",
            client_request_id=None,
            capability=capability,
            dialect=dialect,
            model=model,
            stream=bool(body.get("stream")),
            shows_usage=False,
            body=msgspec.json.encode(body),
            principal=Principal(tenant="default", authenticator="test"),
            received_at=1_700_000_000.0,
        )
        return Attempt(call=call, target=Target("p", model, dialect), number=1, body=call.body)

    return make
