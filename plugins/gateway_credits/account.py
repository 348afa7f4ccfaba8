"""Whose money it is, and amounts as people write them."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import quote

from gateway.errors import InvalidRequest
from gateway.types import NANO

Per: TypeAlias = Literal["tenant", "user"]
Kind: TypeAlias = Literal["paid", "promotional"]

LARGEST: Final = 10**17
"""The most that one booking may move, in 10⁻⁹ credit: as much as the ledger notes for a call."""


class Account(NamedTuple):
    """A tenant's own account, or that of one of its users."""

    tenant: str
    owner: str = ""
    """The user's id; '' for the tenant itself."""

    @property
    def shown(self) -> str:
        """For people: `acme`, or `acme/usr_…`."""
        return f"{self.tenant}/{self.owner}" if self.owner else self.tenant


PAID: Final = "paid"
PROMOTIONAL: Final = "promotional"
REVENUE: Final = "revenue"
EXPIRED: Final = "expired"
"""The gateway's own accounts, by their names."""


def nano_of(credit: Decimal) -> int:
    """Turn credits into integers of 10⁻⁹. Raises `InvalidRequest` for what is no such number, or too large."""
    if not credit.is_finite():
        raise InvalidRequest("An amount of credit is a finite number.", param="amount")
    exact = credit * NANO
    if exact != (whole := int(exact)) or abs(whole) > LARGEST:
        raise InvalidRequest(
            f"An amount of credit has at most 9 decimals and is at most {LARGEST // NANO}: {credit} is not.",
            param="amount",
        )
    return whole


def positive(amount: int) -> int:
    """Give the amount back. Raises `InvalidRequest` when there is nothing to book, or too much."""
    if not 0 < amount <= LARGEST:
        raise InvalidRequest(
            f"An amount must be more than 0 and at most {LARGEST // NANO} credits.", param="amount"
        )
    return amount


def payment_link(url: str, account: Account) -> str:
    """Where an account is paid into: the operator's address with `{tenant}` and `{user}` filled in."""
    return url.format(tenant=quote(account.tenant, ""), user=quote(account.owner, ""))


def shown(nano: int) -> str:
    """Write 10⁻⁹ credit as credits, exactly and without needless zeros: `12.5`."""
    whole, rest = divmod(abs(nano), NANO)
    digits = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
    return f"-{digits}" if nano < 0 else digits
