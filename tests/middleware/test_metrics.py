"""Metrics: what is counted, under which labels, and how the numbers of several workers become one page."""

import os
from pathlib import Path
from typing import Any

import pytest
from httpx2 import ASGITransport, AsyncClient
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from gateway.secrets import Secret
from gateway.testing.fakes import FakeProvider, make_call, plugin_context, plugin_with
from gateway.testing.pytest_plugin import GatewayFactory
from gateway.types import Answer, Call, Outcome, Status, Usage
from gateway_metrics import Metrics
from gateway_metrics.page import render
from gateway_metrics.plugin import MetricsConfig
from gateway_metrics.series import BUCKETS, MAX_SERIES, Book, Histogram, merge

CHAT = {"model": "fake/good", "messages": [{"role": "user", "content": "Hello?"}]}
FAKE = plugin_with("provider.fake", register_providers=[FakeProvider()])
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def samples(page: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """The page as a mapping of name and labels to value; fails when Prometheus could not read it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def value(page: str, name: str, **labels: str) -> float:
    """The sum of all samples of that name whose labels hold the given ones."""
    wanted = set(labels.items())
    return sum(v for (n, found), v in samples(page).items() if n == name and wanted <= set(found))


def outcome(status: Status = "success", **more: Any) -> Outcome:
    return Outcome(status=status, provider="fake", attempts=1, ended_at=2.0, **more)


def call(model: str = "fake/good") -> Call:
    return make_call({**CHAT, "model": model})


def page_of(*books: Book) -> str:
    return render(merge(book.snapshot() for book in books), "")[0].decode()


async def test_a_gateway_shows_its_calls(gateway_factory: GatewayFactory):
    config: dict[str, Any] = {"middleware": {"metrics": {}}, "provider": {"fake": {}}}
    async with gateway_factory(config, plugins=[FAKE]) as gateway, gateway.client as client:
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
        assert (
            await client.post("/v1/chat/completions", json={**CHAT, "model": "fake/fail"})
        ).status_code == 429
        assert (
            await client.post("/v1/chat/completions", json={**CHAT, "model": "nothing"})
        ).status_code == 404
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    labels = {"capability": "chat", "provider": "fake", "model": "fake/good"}
    assert value(answer.text, "gateway_calls_total", status="success", **labels) == 1
    assert value(answer.text, "gateway_calls_total", status="failed", model="fake/fail") == 1
    assert value(answer.text, "gateway_calls_total", status="failed", model="other", provider="none") == 1
    assert value(answer.text, "gateway_call_duration_seconds_count", **labels) == 1
    assert value(answer.text, "gateway_first_byte_seconds_count", **labels) == 1
    assert value(answer.text, "gateway_tokens_total", kind="prompt", **labels) > 0
    assert value(answer.text, "gateway_calls_in_flight") == 0


async def test_the_page_may_ask_for_a_token(gateway_factory: GatewayFactory):
    config = {"middleware": {"metrics": {"token": "not-a-real-token", "path": "/internal/metrics"}}}
    async with gateway_factory(config) as gateway, gateway.client as client:
        for headers in ({}, {"authorization": "Bearer wrong"}, {"authorization": "not-a-real-token"}):
            answer = await client.get("/internal/metrics", headers=headers)
            assert answer.status_code == 401
            assert "not-a-real-token" not in answer.text
        good = {"authorization": "Bearer not-a-real-token"}
        assert (await client.get("/internal/metrics", headers=good)).status_code == 200
        assert (await client.get("/metrics", headers=good)).status_code == 404
        assert (await client.post("/internal/metrics", headers=good)).status_code == 405


async def test_openmetrics_is_spoken_to_who_asks(gateway_factory: GatewayFactory):
    async with (
        gateway_factory({"middleware": {"metrics": {}}}) as gateway,
        gateway.client as client,
    ):
        answer = await client.get("/metrics", headers={"accept": OPENMETRICS})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_tokens_and_cost_add_up():
    book = Book()
    usage = Usage(prompt_tokens=10, completion_tokens=5, cached_read_tokens=4, reasoning_tokens=2)
    for _ in range(3):
        book.finish(call(), outcome(usage=usage, cost=1_500_000_000))
    book.finish(call(), outcome(cost=None))
    page = page_of(book)
    assert [value(page, "gateway_tokens_total", kind=kind) for kind in ("prompt", "completion")] == [30, 15]
    assert value(page, "gateway_tokens_total", kind="cached_read") == 12
    assert value(page, "gateway_tokens_total", kind="cached_write") == 0
    assert value(page, "gateway_cost_total") == 4.5
    assert value(page, "gateway_calls_total") == 4


def test_a_call_is_in_flight_until_it_ends():
    book = Book()
    calls = [call(), call()]
    for each in calls:
        book.begin(each)
    assert value(page_of(book), "gateway_calls_in_flight") == 2
    book.finish(calls[0], outcome())
    book.finish(call(), outcome("failed"))  # refused before it got here
    assert value(page_of(book), "gateway_calls_in_flight") == 1


def test_invented_models_share_one_label():
    book = Book()
    for number in range(50):
        book.finish(call(f"invented-{number}"), Outcome(status="failed", ended_at=2.0))
    assert value(page_of(book), "gateway_calls_total", model="other", provider="none") == 50


def test_the_number_of_labels_is_bounded():
    book = Book()
    for number in range(MAX_SERIES + 100):
        book.finish(call(f"fake/{number}"), outcome())
    book.finish(call("fake/0"), outcome())
    page = page_of(book)
    assert value(page, "gateway_calls_total") == MAX_SERIES + 101
    assert value(page, "gateway_calls_total", model="fake/0") == 2
    assert value(page, "gateway_calls_total", model="other") == 100


def test_a_name_that_means_something_to_prometheus_does_no_harm():
    book = Book()
    book.finish(call('fake/"} evil 1\n# HELP \\'), outcome())
    assert value(page_of(book), "gateway_calls_total", model='fake/"} evil 1\n# HELP \\') == 1


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1e6), max_size=50))
def test_a_histogram_counts_each_value_once(values: list[float]):
    histogram = Histogram()
    histogram.observe(values)
    for index, bound in enumerate(BUCKETS):
        assert sum(histogram.counts[: index + 1]) == sum(each <= bound for each in values)
    assert sum(histogram.counts) == len(values)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["fake/a", "fake/b"]),
            st.sampled_from(["success", "failed"]),
            st.integers(0, 1000),
        ),
        max_size=30,
    )
)
def test_the_page_is_the_sum_of_the_workers(ends: list[tuple[int, str, Status, int]]):
    alone, workers = Book(), [Book() for _ in range(3)]
    for worker, model, status, tokens in ends:
        end = outcome(
            status,
            usage=Usage(prompt_tokens=tokens),
            cost=tokens,
            first_byte_at=1.0,
        )
        ended = call(model)
        alone.finish(ended, end)
        workers[worker].finish(ended, end)
    summed, single = samples(page_of(*workers)), samples(page_of(alone))
    assert summed == pytest.approx(single)


async def scrape(plugin: Metrics) -> str:
    transport = ASGITransport(app=Starlette(routes=list(plugin.register_routes())))
    async with AsyncClient(transport=transport, base_url="http://worker") as client:
        return (await client.get("/metrics")).text


async def test_any_worker_shows_what_all_of_them_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def worker(pid: int) -> Metrics:
        context = plugin_context(tmp_path)
        context.workers = 2
        context.shared_folder = tmp_path
        monkeypatch.setattr("gateway_metrics.plugin.os.getpid", lambda: pid)
        return Metrics("metrics", MetricsConfig(), context)

    first, second = worker(os.getpid()), worker(os.getpid())
    await first.startup()
    monkeypatch.setattr("gateway_metrics.plugin.os.getpid", lambda: 2**30)
    await second.startup()
    for count, plugin in ((3, first), (4, second)):
        for _ in range(count):
            plugin.finished(call(), outcome())
    await second.shutdown()  # its numbers outlive it
    assert value(await scrape(first), "gateway_calls_total") == 7
    first.finished(call(), outcome())
    await scrape(first)
    # Another worker's page never shows less than an earlier page did.
    assert value(await scrape(second), "gateway_calls_total") == 8
    await first.shutdown()


def test_a_dead_worker_has_no_call_in_flight(monkeypatch: pytest.MonkeyPatch):
    book = Book()
    book.begin(call())
    monkeypatch.setattr("gateway_metrics.series.os.getpid", lambda: 2**30)
    assert merge([book.snapshot()]).in_flight == 0


async def test_the_interceptor_changes_nothing(tmp_path: Path):
    plugin = Metrics("metrics", MetricsConfig(token=Secret("not-a-real-token")), plugin_context(tmp_path))
    answer = Answer(200, [], body=b"{}")

    async def proceed(_call: Call) -> Answer:
        return answer

    assert await plugin.around_call(call(), proceed) is answer
