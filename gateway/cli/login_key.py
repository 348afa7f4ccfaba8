"""`gateway login --key`: a program, or a person with a key, signs in without a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.remote import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from gateway.cli.remote import Remote

_NOT_FOUND: Final = (404, 405)


async def sign_in_with_key(remote: Remote, file: Path) -> dict[str, Any]:
    """Prove that one holds a key, and return the tokens. Raises `ClickException`, and `UpstreamError`."""
    try:
        from gateway.sdk.did import did_of_key, load_key, prove
    except ImportError as error:
        raise click.ClickException(
            f"--key needs the package {error.name!r}: pip install 'asgi-gateway[wallet]'"
        ) from None
    try:
        key = load_key(file)
    except (ValueError, TypeError, OSError) as error:
        raise click.ClickException(f"{file} cannot be used as a key: {error}") from None
    try:
        asked = await remote.json("/sign-in/did/challenge", did=did_of_key(key))
    except Refused as refused:
        if refused.status in _NOT_FOUND:
            raise click.ClickException(
                f"{remote.url} has no sign-in with keys: its plugins.toml needs [auth.wallet]."
            ) from refused
        raise
    # Signed is what was typed, never what an answer says: else another server could pass on a challenge of the gateway's.
    if asked["audience"] != remote.url:
        raise click.ClickException(
            f"This gateway calls itself {asked['audience']}. If you trust that: gateway login --url {asked['audience']}"
        )
    return await remote.json(
        "/sign-in/did/verify", proof=prove(key, challenge=asked["challenge"], audience=remote.url)
    )
