"""What a call is likely to be charged at most."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger import Estimator, PriceBook, Pricing
from gateway.ledger.selling import SellingPrices, usual_terms
from gateway.types import Call, Outcome, Principal, Target, Usage

NOW = 1_795_000_000.0  # November 2026
BOOK = PriceBook.load()
DIALECTS = {
    "openai.chat": "chat",
    "openai.completions": "completion",
    "openai.responses": "responses",
    "anthropic.messages": "chat",
    "gemini.generate": "chat",
    "aigne.chat": "chat",
}


def call_of(body: Any, *, dialect: str = "openai.chat", capability: str | None = None) -> Call:
    return Call(
        id="call_1",
        request_id="req_1",
        client_request_id=None,
        capability=capability or DIALECTS[dialect],  # pyright: ignore[reportArgumentType] - a capability
        dialect=dialect,
        model="m",
        stream=False,
        shows_usage=True,
        body=body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode(),
        principal=Principal(tenant="acme", authenticator="test"),
        received_at=NOW,
    )


def pricing_of(margin: Decimal, credit: Decimal) -> Pricing:
    return Pricing(BOOK, selling=SellingPrices(usual_terms(margin, credit), credit))


def estimator(
    *models: str, margin: Decimal = Decimal(0), credit: Decimal = Decimal(1)
) -> Callable[[Call], int | None]:
    targets = [Target("openai", model) for model in models]
    pricing = pricing_of(margin, credit)
    return Estimator(pricing, lambda _: targets, {"openai": "openai"}, answer_tokens=4096).estimate


def charged(
    model: str, usage: Usage, margin: Decimal = Decimal(0), credit: Decimal = Decimal(1)
) -> int | None:
    done = Outcome(usage=usage, upstream_model=model)
    pricing_of(margin, credit).apply(done, "openai", NOW, "acme")
    return done.charge


@pytest.mark.parametrize(
    ("dialect", "bound"),
    [
        ("openai.chat", {"max_tokens": 100}),
        ("openai.chat", {"max_completion_tokens": 100, "max_tokens": 9000}),
        ("openai.completions", {"max_tokens": 100}),
        ("openai.responses", {"max_output_tokens": 100}),
        ("anthropic.messages", {"max_tokens": 100}),
        ("gemini.generate", {"generationConfig": {"maxOutputTokens": 100}}),
        ("gemini.generate", {"generation_config": {"max_output_tokens": 100}}),
        ("aigne.chat", {"input": {"modelOptions": {"maxTokens": 100}}}),
    ],
)
def test_an_answer_is_as_long_as_the_client_allows(dialect: str, bound: dict[str, Any]):
    estimate = estimator("gpt-4o")
    small, large = estimate(call_of(bound, dialect=dialect)), estimate(call_of({}, dialect=dialect))
    prompt = charged("gpt-4o", Usage(prompt_tokens=40))
    assert small is not None
    assert large is not None
    assert prompt is not None
    assert 100 * 10_000 < small <= 100 * 10_000 + prompt
    if dialect != "openai.completions":  # which has a bound of its own
        assert large >= 4096 * 10_000


def test_a_bound_that_only_looks_like_one_bounds_nothing():
    estimate = estimator("gpt-4o")
    said = {
        "messages": [{"role": "user", "content": '"max_tokens": 1', "max_tokens": 1}],
        "metadata": {"max_tokens": 1},
    }
    assert (estimate(call_of(said)) or 0) >= 4096 * 10_000
    assert (estimate(call_of(b'{"max_tokens": "1"}')) or 0) >= 4096 * 10_000


def test_each_choice_counts():
    estimate = estimator("gpt-4o")
    one, five = (estimate(call_of({"max_tokens": 100, "n": n})) for n in (1, 5))
    assert one is not None
    assert five == 5 * one


def test_a_bound_beyond_the_model_is_the_models_own():
    estimate = estimator("gpt-4o")
    assert (estimate(call_of({"max_tokens": 10**9})) or 0) < 17_000 * 10_000


def test_the_dearest_target_counts():
    call = call_of({"max_tokens": 100})
    assert estimator("gpt-4o-mini", "gpt-4o")(call) == estimator("gpt-4o")(call)
    assert estimator("nobody-knows-this", "gpt-4o")(call) == estimator("gpt-4o")(call)
    assert estimator("nobody-knows-this")(call) is None


def test_a_picture_is_no_text():
    url = "data:image/png;base64,iVBORw0KGgo" + "A" * 900_000
    body = {
        "max_tokens": 1,
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}],
    }
    assert (estimator("gpt-4o")(call_of(body)) or 0) < 2_000 * 2_500 + 10_000


PICTURE = "iVBORw0KGgo" + "A" * 9_000
SAID = {
    "text": ("All work and no play. " * 500, 500 * 22 / 3),
    "Chinese": ("只工作不玩耍" * 1_000, 18_000 / 2),
    "Chinese as escapes": ("\\u53ea" * 2_000, 12_000 / 3),
    "a picture": (PICTURE, 1_700),
    "a document": ("JVBERi0xLjQK" + "A" * 12_000, 500),
    "two pictures with words between": (f'{PICTURE}","text":"What are these two?","url":"{PICTURE}', 3_400),
    "a picture among numbers": (f'{"1,2,3," * 2_000}","url":"{PICTURE}', 500 + 1_700),
    "a picture at the end of a long text": (f'{"word " * 2_000}","url":"{PICTURE}', 10_000 / 3 + 1_700),
}


@pytest.mark.parametrize("said", SAID)
def test_what_a_prompt_holds_tells_how_much_it_may_be(said: str):
    content, tokens = SAID[said]
    body = f'{{"max_tokens":1,"content":"{content}"}}'.encode()
    prompt = (estimator("gpt-4o")(call_of(body)) or 0) / 2_500 - 4  # what the answer may cost
    assert tokens <= prompt <= tokens * 1.02 + 60


@pytest.mark.parametrize("character", ["A", "\\u4e2d", "中", "{", "1,", '"'])
def test_a_long_prompt_is_looked_at_once(character: str):
    body = f'{{"content":"{character * 4_000_000}"}}'.encode()
    assert estimator("gpt-4o")(call_of(body)) is not None


def test_each_picture_that_imagen_is_asked_for_counts():
    def asked(pictures: int) -> int:
        body = {"instances": [{"prompt": "A fox"}], "parameters": {"sampleCount": pictures}}
        return estimator("gpt-image-2")(call_of(body, dialect="gemini.predict", capability="image")) or 0

    assert asked(4) > 3 * asked(1) > 0


def test_margin_and_the_worth_of_a_credit():
    call, rule = (
        call_of({"max_tokens": 100}),
        {"margin": Decimal(20), "credit": Decimal("0.01")},
    )
    plain = estimator("gpt-4o")(call)
    assert plain is not None
    assert estimator("gpt-4o", **rule)(call) == plain * 120
    assert charged("gpt-4o", Usage(prompt_tokens=1000), **rule) == 2_500_000 * 120


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=400)


@given(
    words,
    st.integers(1, 16_000),
    st.floats(0, 1),
    st.sampled_from(["gpt-4o", "gpt-5-mini", "gpt-4.1"]),
    st.decimals(-50, 200, places=2),
)
def test_a_chat_is_charged_no_more_than_was_estimated(
    text: str, bound: int, written: float, model: str, margin: Decimal
):
    call = call_of({"model": "m", "max_tokens": bound, "messages": [{"role": "user", "content": text}]})
    estimate = estimator(model, margin=margin)(call)
    usage = Usage(prompt_tokens=-(-len(text) // 3) + 4, completion_tokens=round(bound * written))
    charge = charged(model, usage, margin=margin)
    assert estimate is not None
    assert charge is not None
    assert 0 <= charge <= estimate
