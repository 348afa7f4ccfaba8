"""`gateway receipts`: verify receipts, and the chains that the database holds. The gateway need not run."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.commands import run_on
from gateway.errors import GatewayError
from gateway.sdk.receipts import Chains, Refused
from gateway.store.calls import get_call
from gateway_receipts.chain import chain_of, facts_of, receipts_of
from gateway_receipts.owing import count_owed

if TYPE_CHECKING:
    from gateway.store import Database

T = TypeVar("T")

_MIGRATIONS = Path(__file__).parent / "migrations"
_COMMENT = ": gateway-receipt "
_COMPACT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)


def commands(database: Database, keys: Mapping[str, Any]) -> click.Group:
    """Make the group; `keys` is the JWK set of the config."""

    @click.group()
    def receipts() -> None:
        """Verify receipts, or list those of an account."""

    @receipts.command()
    @click.argument("files", metavar="FILE...", nargs=-1, type=click.Path(path_type=Path))
    @click.option("--account", metavar="TENANT", help="The whole chain of this tenant, beside the ledger.")
    @click.option(
        "--keys",
        "key_file",
        type=click.Path(path_type=Path),
        help="A JWK set.  [default: the keys of the config]",
    )
    def verify(files: Sequence[Path], account: str | None, key_file: Path | None) -> None:
        """Verify receipts: their signatures, and that each account's follow each other without a gap.

        A FILE holds receipts, one a line, in their order; other lines of a recorded stream are passed over. With
        --account it must be those that the database holds. Ends with 1 at the first problem.
        """
        if not files and account is None:
            raise click.UsageError("give files, or --account TENANT")
        known = keys if key_file is None else _key_set(key_file)
        given = [receipt for file in files for receipt in _lines(file)]
        _checked("the files", Chains(known), given)
        if account is None:
            click.echo(f"{len(given)} receipts are good.")
            return
        held = _run(database, lambda: _verify_account(database, account, known))
        for receipt in given:
            if receipt not in held:
                raise GatewayError(f"The chain of '{account}' does not hold the receipt {receipt[:40]}…")
        still = _run(database, lambda: count_owed(database, account))
        rest = f"; {still} are owed, which the running gateway makes" if still else ""
        click.echo(f"The chain of '{account}' is whole: {len(held)} receipts, as the ledger says{rest}.")

    @receipts.command("list")
    @click.argument("account", metavar="TENANT")
    def list_(account: str) -> None:
        """Print a tenant's receipts, one a line, in their order."""

        async def work() -> None:
            async with aclosing(receipts_of(database, account)) as rows:
                async for row in rows:
                    click.echo(row.receipt)

        _run(database, work)

    return receipts


def _key_set(file: Path) -> Mapping[str, Any]:
    try:
        return json.loads(_text(file))
    except ValueError as error:
        raise GatewayError(f"{file} is not a JWK set: {error}.") from error


def _lines(file: Path) -> list[str]:
    lines = [line.strip().removeprefix(_COMMENT).strip() for line in _text(file).splitlines()]
    return [line for line in lines if _COMPACT.fullmatch(line)]


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise GatewayError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise GatewayError(f"{file} is not text in UTF-8.") from error


def _checked(where: str, chains: Chains, receipts: Sequence[str]) -> None:
    for place, receipt in enumerate(receipts, start=1):
        try:
            chains.add(receipt)
        except Refused as error:
            raise GatewayError(f"Receipt {place} of {where}: {error.message}.") from error


async def _verify_account(database: Database, tenant: str, keys: Mapping[str, Any]) -> set[str]:
    """Verify a chain from its first receipt to its last, and each beside its call. Raises `GatewayError`."""
    chain = await chain_of(database, tenant)
    if chain is None:
        raise GatewayError(f"No receipts were given to '{tenant}'.")
    chains = Chains(keys, whole=True)
    found: set[str] = set()
    async with aclosing(receipts_of(database, tenant)) as rows:
        async for row in rows:
            where = f"Receipt {row.number} of '{tenant}', for {row.call}"
            try:
                facts = chains.add(row.receipt)
            except Refused as error:
                raise GatewayError(f"{where}: {error.message}.") from error
            call = await get_call(database, row.call)
            if call is None:
                raise GatewayError(f"{where}: the ledger holds no such call.")
            told = facts_of(call, account=chain.account, number=row.number, previous=facts.previous)
            if told != facts:
                raise GatewayError(f"{where}: the ledger says something else of the call.")
            found.add(row.receipt)
    if chains.end_of(chain.account) != (chain.number, chain.hash):
        raise GatewayError(
            f"The end of the chain of '{tenant}' is missing: its last receipt was number {chain.number}."
        )
    return found


def _run(database: Database, work: Callable[[], Awaitable[T]]) -> T:
    """Run on the database, brought up to date first. Raises `Unavailable`."""
    return run_on(database, work, [_MIGRATIONS])
