"""What is wrong with the methods of an interceptor, told before a call comes through it."""

from __future__ import annotations

from inspect import Signature, isasyncgenfunction, iscoroutinefunction, isgeneratorfunction, signature, unwrap
from typing import Any

_AROUND = {"around_call": "call", "around_attempt": "attempt"}
_AWAITED = ("Awaitable", "Coroutine", "Future", "Task")


def problem_of(interceptor: object) -> str | None:
    """Say what is wrong with the first of its methods that cannot work; None when all can."""
    for name, argument in _AROUND.items():
        method = getattr(interceptor, name, None)
        if method is None:
            continue
        if not _takes(method, object(), proceed=object()):
            return f"{_named(interceptor, name)} must take ({argument}, proceed), not {signature(method)}"
        if not _is_awaited(method):
            advice = "or, where it returns what `proceed` returned, be annotated to return an Awaitable"
            return f"{_named(interceptor, name)} must be an async def, {advice}"
    finished = getattr(interceptor, "finished", None)
    if finished is not None:
        if not _takes(finished, object(), object()):
            return f"{_named(interceptor, 'finished')} must take (call, outcome), not {signature(finished)}"
        if iscoroutinefunction(unwrap(finished)):
            return f"{_named(interceptor, 'finished')} must be a plain def: nobody waits for it"
    return None


def _takes(method: Any, *args: object, **kwargs: object) -> bool:
    try:
        signature(method).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # written in C, and mute about it
        return True
    return True


def _is_awaited(method: Any) -> bool:
    """Whether what it returns can be awaited, as far as it tells."""
    inner = unwrap(method)
    if iscoroutinefunction(inner):
        return True
    if isgeneratorfunction(inner) or isasyncgenfunction(inner):
        return False
    if not hasattr(inner, "__code__"):  # an object that is called: what it returns cannot be told
        return True
    returned = signature(inner).return_annotation
    return returned is not Signature.empty and any(word in str(returned) for word in _AWAITED)


def _named(interceptor: object, method: str) -> str:
    return f"{type(interceptor).__qualname__}.{method}"
