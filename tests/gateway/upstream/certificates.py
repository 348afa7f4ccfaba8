"""TLS contexts of a made-up certificate authority."""

from __future__ import annotations

import ssl

import trustme


def contexts(name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return what a server called `name` serves with, and what a client that trusts it connects with."""
    authority = trustme.CA()
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trusting = ssl.create_default_context()
    # its annotations name pyOpenSSL, which is not installed
    authority.issue_cert(name).configure_cert(served)  # pyright: ignore[reportUnknownMemberType]
    authority.configure_trust(trusting)  # pyright: ignore[reportUnknownMemberType]
    return served, trusting
