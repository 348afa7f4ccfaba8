"""What an API key may not do, it may not do through a batch either, and not when it may no more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from openai import AsyncOpenAI, PermissionDeniedError

from gateway import Gateway
from gateway.store.audit import Actor
from gateway.store.key_rows import KeySettings
from gateway.store.keys import change_key, create_key

from .conftest import begin, ended, file_of, request

ANN = Actor(kind="user", id="usr_ann")


async def test_a_batch_is_for_the_endpoints_of_its_key(build: Callable[..., Gateway]) -> None:
    gateway = build(auth={"apikey": {}})
    async with gateway.lifespan(), gateway.client as http:
        database = gateway._context.database
        settings = KeySettings(endpoints=("/v1/files*", "/v1/batches*", "/v1/embeddings"))
        row, key = await create_key(database, "a", settings=settings, actor=ANN)
        sdk = AsyncOpenAI(base_url="http://gateway/v1", api_key=key, http_client=http, max_retries=0)
        with pytest.raises(PermissionDeniedError, match="may not be used for /v1/chat/completions"):
            await begin(sdk, file_of(request("1", "Hello?")))
        wider = KeySettings(endpoints=("/v1/*",))
        row = await change_key(database, "default", row.id, wider, actor=ANN)
        while True:
            try:
                batch = await begin(sdk, file_of(*(request(str(n), "x @delay=500") for n in range(200))))
            except PermissionDeniedError:  # until the change is known
                continue
            break
        await change_key(database, "default", row.id, settings, actor=ANN)
        found = await ended(sdk, batch.id)
    assert found.status == "failed"
    assert found.errors is not None
    assert found.errors.data is not None
    assert "may not be used for /v1/chat/completions" in str(found.errors.data[0].message)
