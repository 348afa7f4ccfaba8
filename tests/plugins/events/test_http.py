"""Sinks over HTTP: what becomes of each event, by what the far side answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import Undelivered
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.upstream import UpstreamError
from gateway_events.lago import Lago
from gateway_events.openmeter import OpenMeter
from gateway_events.paymentkit import PaymentKit
from gateway_events.plugin import EventSink
from gateway_events.sending import Away
from gateway_events.webhook import Webhook

MakeSink = Callable[..., EventSink[Any]]
MakeRecords = Callable[..., list[dict[str, Any]]]
SECRETS = ["whsec_" + "A" * 32]


def replies(upstream: FakeUpstream, *statuses: int, body: Any = None) -> None:
    parts = () if body is None else (json.dumps(body).encode(),)
    upstream.reply(*(Reply(status=status, parts=parts) for status in statuses))


@pytest.mark.parametrize("status", [301, 400, 404, 410, 500])
async def test_a_webhook_that_minds_an_event_takes_the_others(
    make_sink: MakeSink, make_records: MakeRecords, upstream: FakeUpstream, status: int
):
    sink = make_sink(Webhook, url=f"{upstream.url}/usage", secrets=SECRETS)
    replies(upstream, status, 204)
    with pytest.raises(Undelivered) as caught:
        await sink.deliver(make_records(3))
    (reason,) = caught.value.failed.values()
    assert f"HTTP {status}" in reason
    assert len(upstream.requests) == 3
    assert not caught.value.refused
    assert not caught.value.left


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_webhook_counts_against_no_event(
    make_sink: MakeSink, make_records: MakeRecords, upstream: FakeUpstream, status: int
):
    sink = make_sink(Webhook, url=f"{upstream.url}/usage?token=private", secrets=SECRETS)
    replies(upstream, status)
    with pytest.raises(Away) as caught:
        await sink.deliver(make_records(30))
    assert f"HTTP {status}" in str(caught.value)
    assert "private" not in str(caught.value)
    assert len(upstream.requests) <= 8, "who is busy is not pressed"


async def test_a_webhook_that_becomes_busy_keeps_what_it_took(
    make_sink: MakeSink, make_records: MakeRecords, upstream: FakeUpstream
):
    sink = make_sink(Webhook, url=f"{upstream.url}/usage", secrets=SECRETS)
    replies(upstream, *[204] * 10, 503)
    records = make_records(30)
    with pytest.raises(Undelivered) as caught:
        await sink.deliver(records)
    assert len(caught.value.left) == 20
    assert not caught.value.failed


async def test_a_webhook_at_a_metadata_service_is_never_called(
    make_sink: MakeSink, make_records: MakeRecords
):
    sink = make_sink(Webhook, url="http://169.254.169.254/latest", secrets=SECRETS)
    with pytest.raises(UpstreamError, match="metadata"):
        await sink.deliver(make_records(1))


async def test_openmeter_splits_a_batch_until_the_event_at_fault_is_found(
    make_sink: MakeSink, make_records: MakeRecords, upstream: FakeUpstream
):
    sink = make_sink(OpenMeter, url=upstream.url)
    records = make_records(4)
    replies(upstream, 400, 204, 400, 204, 400)  # all; 0 and 1; 2 and 3; 2; 3
    with pytest.raises(Undelivered) as caught:
        await sink.deliver(records)
    assert list(caught.value.refused) == [records[3]["id"]]
    assert upstream.requests[0].headers["content-type"] == "application/cloudevents-batch+json"
    assert [len(json.loads(request.body)) for request in upstream.requests] == [4, 2, 2, 1, 1]


@pytest.mark.parametrize("status", [401, 403, 404, 500])
async def test_a_meter_that_minds_the_gateway_refuses_no_event(
    make_sink: MakeSink, make_records: MakeRecords, upstream: FakeUpstream, status: int
):
    replies(upstream, status)
    for sink in (
        make_sink(OpenMeter, url=upstream.url),
        make_sink(Lago, url=upstream.url, token="not-a-real-token"),
        make_sink(PaymentKit, url=upstream.url),
    ):
        with pytest.raises(Away):
            await sink.deliver(make_records(2, user="ann"))


async def test_lago_has_some_and_refuses_others(
    make_sink: MakeSink, make_records: MakeRecords, upstream: FakeUpstream
):
    sink = make_sink(Lago, url=upstream.url, token="not-a-real-token")
    faults = {"0": {"transaction_id": ["value_already_exist"]}, "2": {"code": ["metric_not_found"]}}
    body = json.dumps({"status": 422, "code": "validation_errors", "error_details": faults}).encode()
    upstream.reply(Reply(status=422, parts=(body,)), Reply(status=200))
    records = make_records(4, user="ann", tenant="acme")
    with pytest.raises(Undelivered) as caught:
        await sink.deliver(records)
    assert list(caught.value.refused) == [records[2]["id"]]
    sent = json.loads(upstream.requests[1].body)["events"]
    assert [event["transaction_id"] for event in sent] == [records[1]["id"], records[3]["id"]]
    assert sent[0]["external_subscription_id"] == "acme"
    assert sent[0]["timestamp"] == 1767225600.2
    assert sent[0]["properties"]["prompt_tokens"] == 3
    assert upstream.requests[1].headers["authorization"] == "Bearer not-a-real-token"


async def test_paymentkit_is_told_what_users_pay_and_once(
    make_sink: MakeSink, make_records: MakeRecords, upstream: FakeUpstream
):
    sink = make_sink(PaymentKit, url=f"{upstream.url}/api/meter-events")
    free, nobody = make_records(1, user="ann", charge_nano=0), make_records(1)
    await sink.deliver(free + nobody)
    assert upstream.requests == []
    paid = make_records(2, user="ann")
    replies(upstream, 400, body={"error": "Meter event already exists"})
    await sink.deliver(paid)
    names = {json.loads(request.body)["identifier"] for request in upstream.requests}
    assert names == {f"ann-agent-hub-ai-meter-v2-{record['id']}" for record in paid}


async def test_paymentkit_may_refuse_one(
    make_sink: MakeSink, make_records: MakeRecords, upstream: FakeUpstream
):
    sink = make_sink(PaymentKit, url=upstream.url)
    replies(upstream, 400, 200, body={"error": "no such customer"})
    with pytest.raises(Undelivered) as caught:
        await sink.deliver(make_records(2, user="ann"))
    (reason,) = caught.value.refused.values()
    assert "no such customer" in reason
