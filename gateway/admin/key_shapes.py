"""API keys as the admin API shows them, and what may be set of them."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from gateway.admin.shapes import Body, PageQuery, Shown, ShownOnce, moment, showable
from gateway.admin.tenant_shapes import Limits
from gateway.errors import InvalidRequest
from gateway.store.key_rows import MAX_ENTRIES, MAX_NAME, ApiKey, KeySettings, settings_of, shown

Names = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=MAX_NAME)]], Field(max_length=MAX_ENTRIES)
]
_DAY = 86_400


class Budget(BaseModel):
    """What a key may spend. `billing.budgets` keeps it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    amount: str = Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,9})?$", description="A decimal number, as text.")
    currency: str = Field(default="USD", pattern="^[A-Z]{3,12}$")
    period: Literal["day", "week", "month", "total"] = "month"


class KeyChange(Body):
    """What is to be different; null takes a restriction away."""

    name: str | None = Field(default=None, min_length=1, max_length=MAX_NAME)
    scopes: Names | None = Field(
        default=None, description="Permissions; none that you do not have. Null: to make calls, and no more."
    )
    models: Names | None = Field(default=None, description="Names or `prefix*` patterns; null for all.")
    endpoints: Names | None = Field(default=None, description="Paths or `/prefix*` patterns; null for all.")
    networks: Names | None = Field(
        default=None, description="Networks and addresses that it may come from; null for all."
    )
    limits: Limits | None = None
    budget: Budget | None = None
    expires_at: Annotated[AwareDatetime, AfterValidator(showable), Field(strict=False)] | None = Field(
        default=None, description="From then on it is refused; null for never."
    )


class NewKey(KeyChange):
    """A key to be created."""

    name: str = Field(min_length=1, max_length=MAX_NAME)  # pyright: ignore[reportIncompatibleVariableOverride,reportGeneralTypeIssues] - here it is needed
    owner: str | None = Field(
        default=None,
        max_length=40,
        description="The user or service account that it belongs to, and can do no more than. Yourself where you may "
        "only have keys of your own.",
    )


class Rotation(Body):
    """How a key is replaced."""

    overlap_seconds: float = Field(
        default=0, ge=0, le=30 * _DAY, description="How long the old key goes on working."
    )


class KeyQuery(PageQuery):
    """Which keys are meant."""

    owner: str | None = Field(
        default=None, max_length=40, description="Only those of this user or service account."
    )
    search: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="A part of an id, a name, a hint or an owner's id, in whatever case.",
    )
    inactive: bool = Field(default=False, description="Also those that are expired or revoked.")


class KeyShown(Shown):
    """A key, without its secret."""

    id: str
    name: str
    hint: str = Field(description="Its first and last characters.")
    state: str = Field(description="active, expired or revoked.")
    owner: str | None
    scopes: list[str] | None
    models: list[str] | None
    endpoints: list[str] | None
    networks: list[str] | None
    limits: Limits | None
    budget: Budget | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    revision: int


class KeyMade(KeyShown):
    """A new key."""

    key: Annotated[str | None, ShownOnce()] = Field(
        description="The key itself: shown here, and never again."
    )


def settings_from(body: KeyChange) -> KeySettings:
    """What a body sets. Raises `InvalidRequest` for an end that has passed."""
    values: dict[str, Any] = body.model_dump(include=body.model_fields_set - {"owner"})
    if values.get("name", "") is None:
        del values["name"]
    if body.expires_at is not None:
        values["expires_at"] = body.expires_at.timestamp()
        if values["expires_at"] <= time.time():
            raise InvalidRequest("`expires_at` is in the past.", param="expires_at")
    return msgspec.convert(values, KeySettings)


def key_shown(row: ApiKey) -> KeyShown:
    """A row as it is shown."""
    return KeyShown(**_fields(row))


def key_made(row: ApiKey, key: str) -> KeyMade:
    """A row with its key."""
    return KeyMade(**_fields(row), key=key)


def _fields(row: ApiKey) -> dict[str, Any]:
    held = shown(settings_of(row))
    rights = ("scopes", "models", "endpoints", "networks", "limits", "budget")
    times = ("created_at", "expires_at", "revoked_at", "last_used_at")
    return {
        **{name: getattr(row, name) for name in ("id", "name", "hint", "owner", "revision")},
        **{name: held.get(name) for name in rights},
        **{name: moment(getattr(row, name)) for name in times},
        "state": row.state(time.time()),
    }
