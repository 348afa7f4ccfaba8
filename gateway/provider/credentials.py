"""Several API keys of one account or many: used in turn, and left alone for a while after the service refused one."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from gateway.errors import ConfigError, ProviderError
from gateway.types import CredentialKind, HeldCredential, ReportCredential
from gateway.upstream import Prepared

REST_SECONDS = 30.0
"""How long a refused credential rests when the service does not say."""
_LONGEST_REST = 3600.0
NEVER: Final = float("inf")
"""When a credential is renewed that does not expire."""
_NOT_TAKEN = frozenset({401, 403})
"""What a service answers that does not take the credential; 429 says only that it was seen too often."""
_NO_TOKEN = frozenset({"upstream_authentication", "upstream_credentials"})
"""What is raised when a credential is not exchanged for a token."""


class Credential:
    """One API key, token or the like (or none), with its requests ready to be sent."""

    __slots__ = ("_renew", "held", "mark", "prepared", "renews_at", "report", "rests_until", "secret")

    def __init__(
        self, secret: str | None, *, renew: Callable[[Credential], Awaitable[None]] | None = None
    ) -> None:
        self.secret = secret
        self.mark = hashlib.sha256(secret.encode()).hexdigest()[:16] if secret else ""
        """By which it is known again later; "" for those that come and go."""
        self.prepared: dict[str, Prepared] = {}
        """Request heads by whatever the provider tells them apart by, as the dialect."""
        self.rests_until = 0.0
        """Time of `time.monotonic`."""
        self.renews_at = NEVER if renew is None else 0.0
        """Time of `time.monotonic` from which on `renew` is due before the next request."""
        self._renew = renew
        self.held: HeldCredential | None = None
        """What it is in the vault; None for one from the config."""
        self.report: Callable[[str | None], None] | None = None
        """Tells the vault how a call went: None, or what the service said."""

    @property
    def weight(self) -> int:
        """Its share of the calls."""
        return 1 if self.held is None else self.held.weight

    async def renew(self) -> None:
        """Fetch a new secret: sets `secret` and `renews_at`, and forgets what was prepared with the old one.

        Raises `ProviderError` when none can be had.
        """
        assert self._renew is not None, "only credentials that expire are renewed"
        await self._renew(self)
        self.prepared.clear()

    def refused(self, status: int, message: str, retry_after: float | None) -> None:
        """Leave it alone after the service did not take it; `message` holds no secret."""
        self.rest(retry_after)
        if self.report is not None and status in _NOT_TAKEN:
            self.report(f"{status}: {message}")

    def not_renewed(self, error: ProviderError) -> None:
        """Leave it alone after no new secret could be had."""
        self.rest(None)
        if self.report is not None and error.code in _NO_TOKEN:
            self.report(f"{error.status}: {error.message}")

    def rest(self, seconds: float | None) -> None:
        """Leave it alone for so long, or for as long as is usual."""
        if seconds is None or not seconds >= 0:  # "nan" is a number, too
            seconds = REST_SECONDS
        seconds = min(seconds, _LONGEST_REST)
        self.rests_until = time.monotonic() + seconds


class Maker(Struct, frozen=True, kw_only=True):
    """Makes credentials of one kind."""

    kind: CredentialKind
    make: Callable[[Mapping[str, str]], Credential]
    """Takes the fields by name. Raises `ConfigError` when they are none."""
    hint: Callable[[Mapping[str, str]], str]
    """The text by which people know one, to be masked."""

    def secrets(self, fields: Mapping[str, str]) -> tuple[str, ...]:
        """Those of the fields that are secret."""
        return tuple(fields[one.name] for one in self.kind.fields if one.secret and one.name in fields)


class Credentials:
    """Chooses whose turn it is.

    When all of them rest, the one that has rested enough soonest is used all the same: the service decides, and an
    operator with a single key would otherwise be locked out by one refusal.

    With `makers`, credentials of the vault come and go while calls run: the operator's join those of the config, and a
    tenant that has some of its own uses only these.
    """

    __slots__ = ("_all", "_configured", "_next", "_own", "_problem", "_turns", "makers", "only")

    def __init__(
        self,
        credentials: Sequence[Credential],
        *,
        makers: Sequence[Maker] = (),
        problem: ProviderError | None = None,
    ) -> None:
        self.only: Credential | None = None
        """The one that every tenant begins with, where there is no choice."""
        self._configured = tuple(credentials)
        self._own: Mapping[str, Credentials] | None = None
        self._problem = problem
        self._next = 0
        self.makers: Mapping[str, Maker] = {maker.kind.name: maker for maker in makers}
        """By the kinds that are taken from the vault; empty where none are."""
        self._take(self._configured)

    def __iter__(self) -> Iterator[Credential]:
        return iter(self._all)

    def of(self, tenant: str) -> Credentials:
        """Return the tenant's own where it has some, else these."""
        own = self._own
        return self if own is None else own.get(tenant, self)

    def any(self) -> Credential:
        """Return one, for what is the same with all. Raises `ProviderError` when there is none."""
        for one in self._all:
            return one
        raise self._none()

    def first(self) -> Credential:
        """Return the one to begin with. Raises `ProviderError` when there is none."""
        turns = self._turns
        if not turns:
            raise self._none()
        self._next = start = (self._next + 1) % len(turns)
        now = time.monotonic()
        for at in range(start, start + len(turns)):
            one = turns[at % len(turns)]
            if one.rests_until <= now:
                return one
        return min(self._all, key=lambda one: one.rests_until)

    def marked(self, tenant: str, mark: str) -> Sequence[Credential]:
        """Return the one with this mark alone; where there is none, all that the tenant may use.

        Raises `ProviderError` when that is none.
        """
        usable = self.of(tenant)
        for one in (*usable, *self):
            if mark and one.mark == mark:
                return [one]
        usable.any()
        return [*usable]

    def another(self, tried: Sequence[Credential]) -> Credential | None:
        """Return one that was not tried and does not rest, or None."""
        now = time.monotonic()
        return next((one for one in self._all if one not in tried and one.rests_until <= now), None)

    def use(self, provider: str, held: Sequence[HeldCredential], report: ReportCredential) -> None:
        """Use these of the vault from now on, instead of those before; calls under way are not disturbed."""
        assert self.makers, "only for providers that take credentials from the vault"
        known = {one.held.id: one for one in self._every() if one.held is not None}
        by_tenant: dict[str, list[Credential]] = {item.tenant: [] for item in held if item.tenant}
        operators: list[Credential] = []
        for item in held:
            one = known.get(item.id)
            if one is None or one.held is None or one.held.fields != item.fields or not item.enabled:
                one = self._made(item, report)
            if one is not None:
                one.held = item
                (by_tenant[item.tenant] if item.tenant else operators).append(one)
        self._problem = _no_credential(
            provider, f"no credential; its operator adds one with `gateway credentials add {provider}`"
        )
        problem = _no_credential(
            provider, "no usable credential of your own: enable, replace or remove those that you have"
        )
        own = {tenant: Credentials(some, problem=problem) for tenant, some in by_tenant.items()}
        self._own = own or None
        self._take((*self._configured, *operators))

    def _made(self, item: HeldCredential, report: ReportCredential) -> Credential | None:
        """Make one of what the vault holds; None where that is not to be used, or cannot be."""
        if item.fields is None or not item.enabled:
            return None
        if item.kind not in self.makers:
            report(
                item,
                f"It is of the kind '{item.kind}', which is not taken as the provider is configured now.",
            )
            return None
        try:
            one = self.makers[item.kind].make(item.fields)
        except ConfigError as error:
            report(item, error.message)
            return None
        one.mark = one.mark or hashlib.sha256(repr(sorted(item.fields.items())).encode()).hexdigest()[:16]
        one.report = _reporter(report, item)
        return one

    def _take(self, credentials: tuple[Credential, ...]) -> None:
        self._all = credentials
        self._turns = turns = _turns(credentials)
        self.only = turns[0] if len(turns) == 1 and self._own is None else None

    def _every(self) -> Iterator[Credential]:
        yield from self._all
        for own in (self._own or {}).values():
            yield from own

    def _none(self) -> ProviderError:
        problem = self._problem or _no_credential("", "no credential yet")
        return ProviderError(
            problem.message, provider=problem.provider, status=problem.status, code=problem.code
        )


def _no_credential(provider: str, what: str) -> ProviderError:
    return ProviderError(
        f"The provider '{provider}' has {what}.", provider=provider, status=503, code="no_credential"
    )


def _reporter(report: ReportCredential, item: HeldCredential) -> Callable[[str | None], None]:
    return lambda error: report(item, error)


def _turns(credentials: tuple[Credential, ...]) -> tuple[Credential, ...]:
    """Spread a round of turns by weight as evenly as can be: of 3 and 1, every fourth is the second's."""
    divisor = math.gcd(*(one.weight for one in credentials))
    shares = [one.weight // divisor for one in credentials]
    if sum(shares) == len(shares):
        return credentials
    turns = sorted(((number + 0.5) / share, at) for at, share in enumerate(shares) for number in range(share))
    return tuple(credentials[at] for _, at in turns)
