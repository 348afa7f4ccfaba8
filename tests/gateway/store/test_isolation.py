"""Tenant isolation is in the repositories: a function says whose rows it means, or is known to concern several."""

import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from gateway.store import (
    components,
    credentials,
    files,
    invitations,
    jobs,
    kept_answers,
    keys,
    memberships,
    responses,
    roles,
    service_accounts,
    teams,
    tenant_calls,
    usage,
)

MODULES = [
    components,
    credentials,
    files,
    invitations,
    jobs,
    kept_answers,
    keys,
    memberships,
    responses,
    roles,
    service_accounts,
    teams,
    tenant_calls,
    usage,
]

OF_SEVERAL = {
    "all_components": "the signatures that every worker knows",
    "all_credentials": "the vault of every worker, and the operator's commands",
    "begin_copy": "the row says whose it is",
    "count_by_key": "whether a master key is still needed",
    "create_component": "the new row names its tenant",
    "delete_expired": "what is over, whosever it was",
    "delete_expired_answers": "what is over, whosever it was",
    "delete_expired_files": "what is over, whosever it was",
    "delete_expired_jobs": "what is over, whosever it was",
    "accept": "the token says which tenant invites",
    "find_key": "the operator's commands",
    "insert_credential": "the new row names its tenant",
    "keep_owners": "a user is to leave all tenants",
    "list_keys": "the operator's commands",
    "look": "the token says which tenant invites",
    "note": "what came of using credentials; each names its tenant",
    "note_settled": "the row says whose it is",
    "note_shown": "the row says whose it is",
    "orphans": "what a dead worker left",
    "read_file": "the row says whose it is",
    "replace_secret": "the row says whose it is",
    "rewrap_some": "a master key is replaced",
    "roles_of": "the tenants of one user",
    "running_calls": "what a worker runs",
    "unsettled_jobs": "what a worker asks after",
    "write_file": "the row says whose it is",
}
"""Functions without a tenant, and what they are for."""


def functions(module: ModuleType) -> list[tuple[str, Callable[..., Any]]]:
    """Those that go to the database."""
    return [
        (name, function)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and {"database", "connection"} & {*inspect.signature(function).parameters}
    ]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_each_function_says_whose_rows_it_means(module: ModuleType):
    found = functions(module)
    assert found
    for name, function in found:
        tenant = inspect.signature(function).parameters.get("tenant")
        if name in OF_SEVERAL:
            assert tenant is None, f"{name} names a tenant now: take it from OF_SEVERAL"
        else:
            assert tenant is not None, f"{module.__name__}.{name} does not say whose rows it means"


def test_nothing_is_excused_that_is_not_there():
    assert {*OF_SEVERAL} <= {name for module in MODULES for name, _ in functions(module)}
