"""Plans: what is sold, read from a file that ships and from the config."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.errors import InvalidRequest
from gateway.types import NANO, CallLimits

LARGEST: Final = 10**17
Overage: TypeAlias = Literal["refuse", "charge", "allow"]
_FILE: Final = Path(__file__).with_name("plans.toml")


def _countable(amount: Decimal) -> Decimal:
    if not amount.is_finite() or amount * NANO > LARGEST or amount * NANO % 1:
        raise ValueError(f"an amount is at most {LARGEST // NANO}, with at most 9 decimals")
    return amount


Amount = Annotated[Decimal, Field(ge=0), AfterValidator(_countable)]


class Limits(BaseModel):
    """How much a tenant of the plan may use at a time; what is left out is not limited."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    requests_per_minute: int | None = Field(default=None, ge=1, description="Calls in a minute.")
    tokens_per_minute: int | None = Field(default=None, ge=1, description="Tokens in a minute.")
    concurrent: int | None = Field(default=None, ge=1, description="Calls at the same time.")


class Plan(BaseModel):
    """What a subscription is to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(description="For people.")
    price: Amount = Field(description="Of a seat for one period, in currency units.")
    currency: str = Field(default="USD", pattern="^[A-Z]{3}$", description="Three letters (ISO 4217).")
    period: Literal["month", "year"] = Field(default="month", description="How long one payment lasts.")
    included: Amount | None = Field(
        default=None,
        description="Credits that come with a seat in each period; without it usage is not limited.",
    )
    overage: Overage = Field(
        default="refuse",
        description="What happens beyond `included`: calls are refused, charged for, or given away.",
    )
    limits: Limits | None = Field(
        default=None, description="Become the tenant's limits; without it those that it has stay."
    )
    models: tuple[str, ...] | None = Field(
        default=None,
        description="Names or `prefix*` that may be called; become the tenant's, without it those that it has stay.",
    )
    most_seats: int | None = Field(default=None, ge=1, description="How many seats may be bought.")
    trial_days: int = Field(
        default=0, ge=0, le=366, description="Days without payment, once for each tenant."
    )
    grace_days: int = Field(
        default=0, ge=0, le=366, description="Days for which calls go on when a payment is overdue."
    )

    def price_of(self, seats: int) -> int:
        """What so many seats cost for a period, in 10⁻⁹ of the currency."""
        return int(self.price * NANO) * seats

    def included_of(self, seats: int) -> int | None:
        """The usage that comes with them, in 10⁻⁹ credit; None where it is not limited."""
        return None if self.included is None else int(self.included * NANO) * seats

    @property
    def beyond(self) -> Overage:
        """What happens beyond what is included; where usage is not limited, nothing is beyond."""
        return "allow" if self.included is None else self.overage

    def call_limits(self) -> CallLimits | None:
        """`limits` in the gateway's words."""
        return None if self.limits is None else CallLimits(**self.limits.model_dump())


class Plans:
    """All plans by their ids."""

    def __init__(self, added: Mapping[str, Plan]) -> None:
        shipped = tomllib.loads(_FILE.read_text(encoding="utf-8"))
        self.by_id: Mapping[str, Plan] = {
            **{name: Plan.model_validate(values) for name, values in shipped.items()},
            **added,
        }

    def __getitem__(self, id: str) -> Plan:
        """Raises `InvalidRequest` (404)."""
        plan = self.by_id.get(id)
        if plan is None:
            raise InvalidRequest(
                f"There is no plan {id!r}; there are {', '.join(self.by_id)}.", status=404, code="not_found"
            )
        return plan

    def checked(self, id: str, seats: int) -> Plan:
        """A plan that so many seats may be bought of. Raises `InvalidRequest`."""
        plan = self[id]
        if seats < 1 or (plan.most_seats is not None and seats > plan.most_seats):
            raise InvalidRequest(
                f"The plan {id!r} has from 1 to {plan.most_seats or 'any number of'} seats, not {seats}.",
                param="seats",
            )
        return plan
