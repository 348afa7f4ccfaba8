"""A gateway that sells through a fake of Stripe; one for all modules, for it takes time to start."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from .fake import FakeStripe, fake_stripe
from .local import local_stripe
from .shop import Shop, open_shop


@pytest.fixture(scope="session")
def local() -> Generator[str]:
    with local_stripe() as url:
        yield url


@pytest.fixture(scope="session")
def stripe(local: str) -> Generator[FakeStripe]:
    with fake_stripe(local) as fake:
        fake.price("price_pro", 2000)
        yield fake


@pytest.fixture(scope="session")
def shop(stripe: FakeStripe, tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    with open_shop(stripe, tmp_path_factory.mktemp("shop") / "gateway.db") as shop:
        yield shop
