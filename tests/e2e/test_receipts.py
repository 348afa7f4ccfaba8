"""Receipts from outside: the official SDK gets them from two workers, and the command line verifies the chain."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest
from openai import AsyncOpenAI

from gateway.sdk.receipts import Chains, verify

from .conftest import Deploy
from .support.process import until

CONFIG = """
[gateway]
database = "sqlite:///gateway.db"
[provider.mock]
[service.receipts]
key = "bm90LWEtcmVhbC1rZXktYnV0LTMyLWJ5dGVzLWxvbmc"
"""
ASKED = {"x-gateway-receipt": "1"}
COMMENT = ": gateway-receipt "
CALLS = 12


async def whole(sdk: AsyncOpenAI) -> str:
    answer = await sdk.chat.completions.with_raw_response.create(
        model="mock/echo", messages=[{"role": "user", "content": "hi"}], extra_headers=ASKED
    )
    assert (await _parsed(answer.http_response)).startswith("{")
    return answer.headers["x-gateway-receipt"]


async def _parsed(response: httpx2.Response) -> str:
    return (await response.aread()).decode()


async def streamed(sdk: AsyncOpenAI) -> str:
    asking = sdk.chat.completions.with_streaming_response.create(
        model="mock/echo", messages=[{"role": "user", "content": "hi"}], stream=True, extra_headers=ASKED
    )
    async with asking as answer:
        lines = [line async for line in answer.iter_lines() if line]
    assert "x-gateway-receipt" not in answer.headers
    assert lines[-2] == "data: [DONE]"
    return lines[-1].removeprefix(COMMENT)


async def test_two_workers_continue_one_chain(deploy: Deploy, tmp_path: Path) -> None:
    served = deploy(CONFIG, "--workers", "2")
    until(lambda: len(served.processes()) == 3)
    http = httpx2.AsyncClient(limits=httpx2.Limits(max_keepalive_connections=0))
    async with AsyncOpenAI(
        base_url=f"{served.url}/v1", api_key="none", http_client=http, max_retries=0
    ) as sdk:
        receipts = await asyncio.gather(*(ask(sdk) for ask in (whole, streamed) for _ in range(CALLS // 2)))
        silent = await sdk.chat.completions.with_raw_response.create(
            model="mock/echo", messages=[{"role": "user", "content": "hi"}]
        )
        assert "x-gateway-receipt" not in silent.headers
    jwks = httpx2.get(f"{served.url}/.well-known/gateway-receipts").json()
    numbers = {Chains(jwks).add(receipt).number: receipt for receipt in receipts}
    assert sorted(numbers) == list(range(1, CALLS + 1))
    assert verify([numbers[number] for number in sorted(numbers)], jwks, whole=True) is None

    kept = tmp_path / "kept.txt"
    kept.write_text("".join(f"data: x\n\n{COMMENT}{numbers[number]}\n\n" for number in (4, 5, 6)))
    checked = served.command("receipts", "verify", str(kept), "--account", "default").stdout
    assert checked == f"The chain of 'default' is whole: {CALLS} receipts, as the ledger says.\n"
    kept.write_text(f"{numbers[4]}\n{numbers[6]}\n")
    refused = served.command("receipts", "verify", str(kept), code=1)
    assert "Receipt 2 of the files: it is number 6 of its account, and should be 5." in refused.stderr


pytestmark = pytest.mark.timeout(60)
