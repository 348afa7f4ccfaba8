from __future__ import annotations

from array import array
from base64 import b64decode
from math import isclose
from typing import Any

import msgspec
import pytest
from openai.types import CreateEmbeddingResponse

from gateway.errors import ProviderError


async def embed(mock: Any, attempt: Any, value: Any, **fields: Any) -> CreateEmbeddingResponse:
    answer = await mock().send(attempt({"input": value}, capability="embedding", model="any", **fields))
    return CreateEmbeddingResponse.model_validate_json(answer.body)


async def test_one_vector_for_each_input(mock: Any, attempt: Any):
    found = await embed(mock, attempt, ["one", "two", "one"])
    assert found.model == "any"
    assert [item.index for item in found.data] == [0, 1, 2]
    first, second, third = (item.embedding for item in found.data)
    assert len(first) == 1536
    assert isclose(sum(number**2 for number in first), 1.0, rel_tol=1e-5)
    assert first == third
    assert first != second
    assert found.usage.prompt_tokens == found.usage.total_tokens == 3


async def test_base64_holds_the_same_floats(mock: Any, attempt: Any):
    floats = await embed(mock, attempt, "one", dimensions=8)
    request = {"input": "one", "dimensions": 8, "encoding_format": "base64"}
    answer = await mock().send(attempt(request, capability="embedding", model="any"))
    encoded = msgspec.json.decode(answer.body)["data"][0]["embedding"]
    assert array("f", b64decode(encoded)).tolist() == floats.data[0].embedding


async def test_token_numbers(mock: Any, attempt: Any):
    one = await embed(mock, attempt, [1, 2, 3], dimensions=4)
    assert len(one.data) == 1
    assert one.usage.prompt_tokens == 3
    two = await embed(mock, attempt, [[1, 2, 3], [4]], dimensions=4)
    assert two.data[0].embedding == one.data[0].embedding
    assert two.usage.prompt_tokens == 4


@pytest.mark.parametrize("value", ["", [], [1, "one"], {"a": 1}, None], ids=str)
async def test_refusals(mock: Any, attempt: Any, value: Any):
    with pytest.raises(ProviderError) as caught:
        await embed(mock, attempt, value)
    assert caught.value.status == 400


async def test_dimensions_have_bounds(mock: Any, attempt: Any):
    with pytest.raises(ProviderError) as caught:
        await embed(mock, attempt, "one", dimensions=0)
    assert caught.value.param == "dimensions"


async def test_directives(mock: Any, attempt: Any):
    with pytest.raises(ProviderError) as caught:
        await embed(mock, attempt, ["one", "two @status=503"])
    assert caught.value.status == 503
