from __future__ import annotations

from typing import Any

import pytest
from openai.types import ModerationCreateResponse

from gateway.errors import ProviderError


async def judge(mock: Any, attempt: Any, value: Any) -> ModerationCreateResponse:
    answer = await mock().send(attempt({"input": value}, capability="moderation", model="any"))
    return ModerationCreateResponse.model_validate_json(answer.body)


async def test_a_text_is_flagged_for_what_it_names(mock: Any, attempt: Any):
    found = await judge(mock, attempt, ["A calm day.", "Nothing but Violence."])
    calm, violent = found.results
    assert found.model == "any"
    assert not calm.flagged
    assert violent.flagged
    assert (violent.categories.violence, violent.categories.hate) == (True, False)
    assert violent.category_scores.violence > 0.5 > violent.category_scores.hate


async def test_parts_are_judged_together(mock: Any, attempt: Any):
    parts = [{"type": "text", "text": "harassment"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    (result,) = (await judge(mock, attempt, parts)).results
    assert result.categories.harassment


async def test_equal_inputs_are_judged_alike(mock: Any, attempt: Any):
    assert await judge(mock, attempt, "hate") == await judge(mock, attempt, "hate")


async def test_it_fails_as_told(mock: Any, attempt: Any):
    with pytest.raises(ProviderError) as caught:
        await judge(mock, attempt, "@status=503 hi")
    assert caught.value.status == 503


@pytest.mark.parametrize("value", [[], "", 7])
async def test_what_cannot_be_judged_is_refused(mock: Any, attempt: Any, value: Any):
    with pytest.raises(ProviderError) as caught:
        await judge(mock, attempt, value)
    assert caught.value.status == 400
