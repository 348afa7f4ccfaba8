"""Embeds and ranks with Cohere's official SDK, and prints what came of it as JSON.

`search.py URL KEY` asks at the gateway's own paths, which all providers stand behind, and at Cohere's under `/provider`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import cohere
from cohere.errors import BadRequestError

URL, KEY = sys.argv[1:]
OWN = f"{URL}/provider/cohere"
DOCUMENTS = ["Tides follow the moon.", "Bread needs salt."]
ONCE: Any = {"max_retries": 0}


def ranked(answer: Any) -> list[Any]:
    return [[one.index, one.relevance_score] for one in answer.results]


def main() -> None:
    second, first = cohere.ClientV2(KEY, base_url=OWN), cohere.Client(KEY, base_url=OWN)
    gateway_second, gateway_first = cohere.ClientV2(KEY, base_url=URL), cohere.Client(KEY, base_url=URL)
    asked: Any = {"query": "Tides?", "documents": DOCUMENTS, "top_n": 2, "request_options": ONCE}
    texts: Any = {"input_type": "search_document", "texts": DOCUMENTS, "request_options": ONCE}
    types: Any = {"embedding_types": ["float", "int8"]}
    embedded = second.embed(model="embed-v4.0", **texts, **types)
    gateways = gateway_second.embed(model="cohere/embed-v4.0", **texts, **types)
    other = gateway_second.embed(model="mock/embed", **texts, embedding_types=["float"])
    bare = gateway_first.embed(model="mock/embed", **texts)
    refused = ""
    try:
        gateway_second.rerank(model="cohere/rerank-v3.5", query="Tides?", documents=[], request_options=ONCE)
    except BadRequestError as error:
        refused = str(error.body)
    print(
        json.dumps(
            {
                "float": embedded.embeddings.float_,
                "int8": embedded.embeddings.int8,
                "gateway": [gateways.embeddings.float_, gateways.embeddings.int8],
                "other": other.embeddings.float_,
                "bare": bare.embeddings,
                "own v2": ranked(second.rerank(model="rerank-v3.5", **asked)),
                "own v1": ranked(first.rerank(model="rerank-v3.5", **asked)),
                "v2": ranked(gateway_second.rerank(model="cohere/rerank-v3.5", **asked)),
                "v1": ranked(
                    gateway_first.rerank(model="cohere/rerank-v3.5", return_documents=True, **asked)
                ),
                "refused": refused,
            }
        )
    )


main()
