"""Rate limits and metrics, as a client and a scraper see them."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import openai
import pytest
from openai import OpenAI

from .support.process import Deployment, until
from .support.raw import chat_body

CONFIG = """
[auth.apikey]
[provider.mock]
[middleware.ratelimit]
requests_per_minute = {requests}
{more}
[middleware.metrics]
"""

Deploy = Callable[..., Deployment]


def chat(sdk: OpenAI, *, model: str = "mock/echo") -> str:
    """Make one call."""
    answer = sdk.chat.completions.create(model=model, messages=[{"role": "user", "content": "hi there you"}])
    return answer.choices[0].message.content or ""


def test_beyond_the_limit_the_sdk_sees_a_429_that_says_when(deploy: Deploy) -> None:
    served = deploy(CONFIG.format(requests=5, more=""))
    first, second = served.key(name="first")["key"], served.key(name="second")["key"]
    with OpenAI(base_url=f"{served.url}/v1", api_key=first, max_retries=0) as sdk:
        raw = sdk.chat.completions.with_raw_response.create(
            model="mock/echo", messages=[{"role": "user", "content": "hi"}]
        )
        assert raw.headers["x-ratelimit-limit-requests"] == "5"
        assert raw.headers["x-ratelimit-remaining-requests"] == "4"
        for _ in range(4):
            chat(sdk)
        with pytest.raises(openai.RateLimitError) as refused:
            chat(sdk)
        assert refused.value.code == "rate_limit_exceeded"
        assert 0 < int(refused.value.response.headers["retry-after"]) <= 60
        assert refused.value.response.headers["x-ratelimit-remaining-requests"] == "0"
        assert refused.value.response.headers["x-ratelimit-reset-requests"]
        with pytest.raises(openai.RateLimitError):
            list(
                sdk.chat.completions.create(
                    model="mock/echo", messages=[{"role": "user", "content": "hi"}], stream=True
                )
            )
        assert list(sdk.models.list())  # not a call
    with OpenAI(base_url=f"{served.url}/v1", api_key=second, max_retries=0) as sdk:
        assert chat(sdk)  # a limit of its own
    until(lambda: 'status="success"} 6.0' in httpx2.get(f"{served.url}/metrics").text)


def test_tokens_are_limited_too(deploy: Deploy) -> None:
    served = deploy(CONFIG.format(requests=1000, more="tokens_per_minute = 5"))
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key()["key"], max_retries=0) as sdk:

        def call_on() -> None:
            while True:  # what a call uses up is known when it has ended, which is after its answer
                chat(sdk)

        with pytest.raises(openai.RateLimitError) as refused:
            call_on()
        assert "token" in refused.value.message.lower()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_metrics_page_counts_what_happened(deploy: Deploy, workers: int) -> None:
    served = deploy(CONFIG.format(requests=1000, more=""), "--workers", str(workers))
    headers = {"authorization": f"Bearer {served.key()['key']}"}
    for number in range(30):  # a connection each, so that every worker gets some
        body = chat_body("hi @status=500" if number % 3 == 0 else "hi", stream=number % 2 == 0)
        httpx2.post(f"{served.url}/v1/chat/completions", content=body, headers=headers)

    def page() -> str:
        answer = httpx2.get(f"{served.url}/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/plain")
        return answer.text

    def total(name: str, *labels: str) -> float:
        lines = [
            line for line in page().splitlines() if line.startswith(name) and all(x in line for x in labels)
        ]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    until(lambda: total("gateway_calls_total{") == 30)
    assert total("gateway_calls_total{", 'status="failed"') == 10
    assert total("gateway_calls_total{", 'status="success"', 'provider="mock"') == 20
    assert total("gateway_call_duration_seconds_count") == 30
    assert total("gateway_tokens_total{") > 0
    assert "key" not in page().replace("keys", "")
    for number in range(50):
        httpx2.post(
            f"{served.url}/v1/chat/completions", content=chat_body(model=f"no-such-{number}"), headers=headers
        )
    assert "no-such" not in page()
