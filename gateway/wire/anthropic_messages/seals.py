"""Signatures of thoughts that another dialect gave, kept where Anthropic's clients keep a signature.

A client gives back what it got; the mark at the beginning tells whose signature it is, so that only they get it.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.types import Dialect
from gateway.wire.canonical import Thinking

DIALECT: Final[Dialect] = "anthropic.messages"
MARK: Final = "gateway:"
_CALL: Final = f"{MARK}call:"


def seal(thinking: Thinking) -> str:
    """Return what stands for the signature in `signature`, or for the encrypted thoughts in `data`; perhaps empty."""
    secret = thinking.encrypted or thinking.signature or ""
    if thinking.origin in {DIALECT, None}:
        return secret
    if not (secret or thinking.id):
        return ""
    kind = "e" if thinking.encrypted is not None else "s"
    return f"{MARK}{thinking.origin}:{kind}:{thinking.id or ''}:{secret}"


def seal_call(call_id: str, signature: str) -> dict[str, Any]:
    """Make the block that carries the signature of the tool call with this id, which follows it."""
    return {"type": "redacted_thinking", "data": f"{_CALL}{call_id}:{signature}"}


def unseal_call(data: Any) -> tuple[str, str] | None:
    """Return id and signature of the tool call that a block is about; None where it is about none."""
    if not (isinstance(data, str) and data.startswith(_CALL)):
        return None
    call_id, _, signature = data.removeprefix(_CALL).partition(":")
    return call_id, signature


def unseal(text: str, sealed: str, *, encrypted: bool) -> Thinking:
    """Make the thought again from its text and its seal; `encrypted` when it stood in `data`."""
    if not sealed.startswith(MARK):
        if encrypted:
            return Thinking(text=text, encrypted=sealed, origin=DIALECT)
        return Thinking(text=text, signature=sealed or None, origin=DIALECT if sealed else None)
    origin, kind, number, secret = [*sealed.removeprefix(MARK).split(":", 3), "", "", ""][:4]
    return Thinking(
        text=text,
        signature=secret if kind == "s" and secret else None,
        encrypted=secret if kind == "e" else None,
        id=number or None,
        origin=origin,
    )
