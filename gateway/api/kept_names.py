"""What requests name of the files and caches that a provider keeps: each tenant may name only its own.

Providers know one account, the gateway's. So a name in a chat would reach another tenant's file, as far as it can be guessed.
"""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, cast

from gateway.batches.abroad import Wanted
from gateway.errors import InvalidRequest
from gateway.store import Database
from gateway.store.jobs import kept_ids
from gateway.types import Answer, Attempt, OwnPath, ProceedAttempt, Session
from gateway.wire import multipart

_ESCAPE: Final = b"\\u00"
_ESCAPED_LETTER: Final = re.compile(rb"\\u00[2-7]")
"""Nobody writes letters so but to hide a word."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNREADABLE: Final = (ValueError, RecursionError)

Name = tuple[str, str]
"""A field and what it says."""


class KeptNames(ABC):
    """Knows how one provider's requests name what it keeps."""

    marks: Sequence[bytes]
    """A body without any of them names nothing."""
    fields: Collection[str]
    """Those that hold names: texts, or lists of texts."""
    past: Collection[str] = frozenset()
    """Fields that tell what was named before, and ask for nothing."""

    def __init__(self, database: Database, provider: str) -> None:
        self._database = database
        self._provider = provider

    async def check(self, tenant: str, body: bytes, *, may_be_other: bool = False) -> None:
        """Look at a request in JSON; `may_be_other` where it may be something else, in which no names are looked for.

        Raises `InvalidRequest` (404) naming what is not the tenant's, `Unavailable`.
        """
        if not self.may_name(body):
            return
        try:
            kept = self._named(body)
        except InvalidRequest:
            if may_be_other:
                return
            raise
        await self._own(tenant, kept)

    async def check_lines(self, tenant: str, lines: Iterable[Wanted]) -> None:
        """Look at the requests of a batch. Raises as `check`, naming the line."""
        kept: dict[tuple[str, str], InvalidRequest] = {}
        for line in lines:
            if self.may_name(line.request):
                for name, missing in self._named(line.request).items():
                    missing.message = f"{line.where}: {missing.message}"
                    kept.setdefault(name, missing)
        await self._own(tenant, kept)

    async def check_path(self, tenant: str, own: OwnPath) -> None:
        """Look at a request for a path of the provider's own. Raises as `check`, and `PermissionDenied`."""
        await self._own(tenant, self.kept_at(own))

    def may_name(self, body: bytes) -> bool:
        """Whether a request is to be read: it takes no time where it names nothing."""
        for mark in self.marks:
            if mark in body:
                return True
        return _ESCAPE in body and _ESCAPED_LETTER.search(body) is not None

    @abstractmethod
    def kept(self, named: Iterable[Name]) -> Mapping[tuple[str, str], InvalidRequest]:
        """Return kind and id of all that the provider would look up among what it keeps, each with the error for who has it not."""

    def kept_at(self, own: OwnPath) -> Mapping[tuple[str, str], InvalidRequest]:  # noqa: ARG002 - for who looks at it
        """Do the same for a path; paths that the operator has declared lead to everything otherwise."""
        return {}

    def _named(self, body: bytes) -> Mapping[tuple[str, str], InvalidRequest]:
        try:
            return self.kept(names_in(body, self.fields, self.past))
        except _UNREADABLE:
            raise InvalidRequest("The request is not valid JSON.", code="invalid_json") from None

    async def _own(self, tenant: str, kept: Mapping[tuple[str, str], InvalidRequest]) -> None:
        if not kept:
            return
        ids = {id for _, id in kept if _ID.fullmatch(id)}  # noqa: A001 - as it is called
        own = await kept_ids(self._database, tenant, self._provider, ids)
        for name, missing in kept.items():
            if name not in own:
                raise missing


class OwnOnly:
    """Stands right before the providers that keep files, whatever dialect a request came in. `gateway.protocols.AroundAttempt`."""

    def __init__(self, names: Mapping[str, KeptNames]) -> None:
        """`names` are by provider."""
        self._names = names

    def around_attempt(self, attempt: Attempt, proceed: ProceedAttempt) -> Awaitable[Answer]:
        """Hand on what names nothing without a frame of its own."""
        names = self._names.get(attempt.target.provider)
        if names is not None and attempt.call.capability == "realtime":
            return _talking(names, attempt, proceed)
        if names is None or (attempt.call.own is None and not names.may_name(attempt.body)):
            return proceed(attempt)
        return _checked(names, attempt, proceed)


async def _checked(names: KeptNames, attempt: Attempt, proceed: ProceedAttempt) -> Answer:
    tenant, own = attempt.call.principal.tenant, attempt.call.own
    if own is not None:
        await names.check_path(tenant, own)
    form = multipart.is_form(attempt.content_type) and not attempt.body.lstrip().startswith(b"{")
    await names.check(tenant, attempt.body, may_be_other=form or own is not None)
    return await proceed(attempt)


async def _talking(names: KeptNames, attempt: Attempt, proceed: ProceedAttempt) -> Answer:
    """Look at the first message of a session, and at those that follow."""
    answer = await _checked(names, attempt, proceed)
    if answer.session is not None:
        answer.session = _OwnSession(answer.session, names, attempt.call.principal.tenant)
    return answer


class _OwnSession:
    """Hands on what names only its tenant's own. `gateway.types.Session`."""

    def __init__(self, session: Session, names: KeptNames, tenant: str) -> None:
        self._session = session
        self._names = names
        self._tenant = tenant
        self.close = session.close

    async def send(self, message: str | bytes) -> None:
        """Hand a message on. Raises as `KeptNames.check`."""
        data = message.encode() if isinstance(message, str) else message
        await self._names.check(self._tenant, data)
        await self._session.send(message)


def names_in(body: bytes, fields: Collection[str], past: Collection[str] = ()) -> frozenset[Name]:
    """Return what certain fields say in a JSON document, however deep, each as often as it is repeated.

    Fields in `past` are left out, with all that is in them. Raises ValueError for what is no JSON.
    """

    def within(value: Any, field: str = "") -> Iterable[Name]:
        if isinstance(value, frozenset):  # an object, which was read before
            return cast("frozenset[Name]", value)
        if isinstance(value, list):
            return [name for item in cast("list[Any]", value) for name in within(item, field)]
        return [(field, value)] if isinstance(value, str) and field in fields else []

    def read(pairs: list[tuple[str, Any]]) -> frozenset[Name]:
        return frozenset(name for key, value in pairs if key not in past for name in within(value, key))

    # Of a repeated field, every value counts: who knows which one the provider takes.
    return frozenset(within(json.loads(body, object_pairs_hook=read, parse_int=str, parse_float=str)))
