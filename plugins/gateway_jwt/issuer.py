"""One issuer, with all that is known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway_jwt.fetch import Fetcher
from gateway_jwt.keys import Keys
from gateway_jwt.verify import Verifier

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from gateway.plugin import Context
    from gateway_jwt.config import IssuerConfig


class Issuer:
    """An issuer under the name that the config gives it. `changed` is called when it withdraws a key."""

    def __init__(
        self,
        name: str,
        config: IssuerConfig,
        context: Context,
        *,
        changed: Callable[[str], None],
        log: logging.Logger,
    ) -> None:
        self.name = name
        self.config = config
        self.fetcher = Fetcher(context, config.issuer)
        self.keys = Keys(config, self.fetcher, changed=lambda: changed(name), log=log)
        self.verifier = Verifier(config, self.keys)
