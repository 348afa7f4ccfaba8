"""Every endpoint of the admin API. A resource is a module with a tuple `ENDPOINTS`."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.admin import (
    audit,
    calls,
    components,
    config,
    credentials,
    events,
    invitations,
    keys,
    me,
    me_account,
    model_names,
    models,
    prices,
    providers,
    roles,
    service_accounts,
    sessions,
    teams,
    tenant,
    tenants,
    usage,
    users,
)
from gateway.admin.description import described
from gateway.admin.endpoint import Endpoint


def endpoints(plugins: Sequence[object] = ()) -> Sequence[Endpoint]:
    """List the endpoints of all resources, those that plugins declare at the end.

    Raises TypeError for what is none; `AdminApp` refuses a path that is taken.
    """
    more = [endpoint for endpoint in plugins if isinstance(endpoint, Endpoint)]
    if len(more) < len(plugins):
        raise TypeError("register_admin_endpoints returns gateway.admin.endpoint.Endpoint objects")
    found = (
        *me.ENDPOINTS,
        *me_account.ENDPOINTS,
        *models.ENDPOINTS,
        *model_names.ENDPOINTS,
        *prices.ENDPOINTS,
        *providers.ENDPOINTS,
        *credentials.ENDPOINTS,
        *components.ENDPOINTS,
        *tenant.ENDPOINTS,
        *tenants.ENDPOINTS,
        *users.ENDPOINTS,
        *roles.ENDPOINTS,
        *teams.ENDPOINTS,
        *invitations.ENDPOINTS,
        *service_accounts.ENDPOINTS,
        *keys.ENDPOINTS,
        *sessions.ENDPOINTS,
        *calls.ENDPOINTS,
        *usage.ENDPOINTS,
        *events.ENDPOINTS,
        *audit.ENDPOINTS,
        *config.ENDPOINTS,
        *more,
    )
    return (*found, described(found))
