"""What an event says, and how it is signed."""

from __future__ import annotations

import base64
import copy
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks import Webhook as Receiver
from standardwebhooks.webhooks import WebhookVerificationError

from gateway.testing.contracts.sink import RECORD
from gateway_events.event import usage_event
from gateway_events.paymentkit import meter_event
from gateway_events.signing import key_of, signed
from gateway_events.webhook import WebhookConfig

OLD, NEW = (base64.b64encode(letter * 24).decode() for letter in (b"o", b"n"))


def test_an_event_tells_what_was_used_and_what_it_costs():
    record = {**RECORD, "user": "ann", "units": {"images": 2}, "error": {"code": "cut", "message": "private"}}
    before = copy.deepcopy(record)
    event = usage_event(record, "https://gateway.example.com")
    data = event.pop("data")
    assert event == {
        "specversion": "1.0",
        "id": RECORD["id"],
        "source": "https://gateway.example.com",
        "type": "ai.gateway.usage.v1",
        "subject": "default/ann",
        "time": "2026-01-01T00:00:00.200Z",
        "datacontenttype": "application/json",
    }
    assert data["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 5,
        "cached_read_tokens": 0,
        "cached_write_tokens": 0,
        "reasoning_tokens": 0,
        "images": 2,
        "estimated": False,
    }
    assert (data["cost_nano"], data["charge_nano"], data["price_version"]) == (1, 2, "1")
    assert (data["call"], data["status"], data["error_code"]) == (RECORD["id"], "success", "cut")
    assert "private" not in str(data)
    assert record == before
    assert usage_event(record, "https://gateway.example.com") == {**event, "data": data}


def test_a_call_of_which_nothing_is_known_has_no_usage():
    event = usage_event({**RECORD, "prompt_tokens": None, "cost_nano": None}, "urn:x")
    assert (event["subject"], event["data"]["usage"], event["data"]["cost_nano"]) == ("default", None, None)


@settings(deadline=None)
@given(st.binary(max_size=300), st.text("abc_09", min_size=1, max_size=40))
def test_receivers_with_either_secret_accept_what_is_signed_with_both(body: bytes, id: str):
    now = int(datetime.now(UTC).timestamp())
    text = body.hex().encode()
    headers = signed(id, now, text, [key_of(f"whsec_{OLD}"), key_of(NEW)])
    for secret in (OLD, NEW):
        Receiver(secret).verify(text, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        Receiver(NEW).verify(text + b" ", headers, json_parse=False)


@pytest.mark.parametrize("secret", ["short", "whsec_ABCD", "not base64!", "A" * 100])
def test_a_secret_that_is_none_is_refused(secret: str):
    with pytest.raises(ValidationError) as caught:
        WebhookConfig.model_validate({"url": "http://127.0.0.1/", "secrets": [secret]})
    assert "a secret of webhooks" in str(caught.value)


def test_a_meter_event_has_an_exact_value_and_always_the_same_identifier():
    event = usage_event({**RECORD, "user": "did:abt:ann", "charge_nano": 1_234_567_890}, "urn:x")
    made = meter_event(event, "meter", "did:abt:app")
    facts = {fact["key"]: fact["value"] for fact in made.pop("source_data")}
    assert made == {
        "event_name": "meter",
        "timestamp": 1767225600,
        "payload": {"customer_id": "did:abt:ann", "value": "1.23456789"},
        "identifier": f"did:abt:ann-meter-{RECORD['id']}",
        "metadata": {"appId": "did:abt:app"},
    }
    assert facts == {
        "source": "urn:x",
        "record_count": "1",
        "total_tokens": "8",
        "images_generated": "0",
        "total_credits": "1.23456789",
    }
