"""Why cells of the matrix do not pass: what each error says, and what the docs say of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from .run import Cell


class Explanation(Struct, frozen=True):
    """Errors that are as they must be."""

    clients: str
    """Regular expression for the whole name."""
    providers: str
    features: str
    says: str
    """Regular expression for a part of the error."""
    text: str
    """For the reader of the docs."""

    def fits(self, client: str, cell: Cell) -> bool:
        """Whether it explains a cell."""
        return bool(
            re.fullmatch(self.clients, client)
            and re.fullmatch(self.providers, cell.provider)
            and re.fullmatch(self.features, cell.feature)
            and re.search(self.says, cell.detail)
        )


NOT_REMEMBERED = "^the thoughts were not remembered$"
KEEP_NO_THOUGHTS = "langchain_openai|llama_index_openai|llm|pydantic_ai"
EXPLANATIONS: Sequence[Explanation] = (
    Explanation(
        ".*",
        "openai|azure",
        "thinking",
        NOT_REMEMBERED,
        "The effort reaches the model, but OpenAI's chat completions neither show its thoughts nor take them back. "
        "Clients of the Responses API get and return them.",
    ),
    Explanation(
        KEEP_NO_THOUGHTS,
        ".*",
        "thinking",
        NOT_REMEMBERED,
        "The effort reaches the model and the answer is right, but this client does not send back what OpenAI's own API does "
        "not have, such as thoughts in the clear. Claude with a budget then does not think on after "
        "the tool's result, for Anthropic would refuse that; `x-gateway-dropped` says so.",
    ),
    Explanation(
        "vercel_openai|vercel_anthropic",
        "cohere|ollama",
        "thinking",
        NOT_REMEMBERED,
        "The thoughts are shown and the answer is right, but this provider does not sign thoughts, and this client only sends "
        "signed ones back.",
    ),
    Explanation(
        ".*",
        "ollama",
        ".*",
        r"\btool_choice\\?'( and .*)? cannot be expressed",
        "This client demands that a certain tool be called, and Ollama cannot be told so. With "
        '`drop_params = ["tool_choice", …]` the choice is left to the model.',
    ),
    Explanation(
        ".*",
        "gemini|bedrock|cohere|ollama",
        "structured output",
        "'(parallel_tool_calls|tool_choice.disable_parallel_tool_use)'( and .*)? cannot be expressed",
        "This client demands one tool call at a time, and the provider cannot be told so. With "
        '`drop_params = ["parallel_tool_calls", …]` there may be several.',
    ),
    Explanation(
        "cohere",
        "(?!cohere$).*",
        ".*",
        "is not metered, so it is refused unless it is declared|whose own paths could be used",
        "This client speaks Cohere's own dialect, at `/provider/cohere`, which goes to Cohere only. Cohere's models are at all "
        "other clients' disposal, too.",
    ),
)


def explain(client: str, cell: Cell) -> int | None:
    """Return the number of the note that explains an error, from 1; None when there is none."""
    fitting = (number for number, one in enumerate(EXPLANATIONS, start=1) if one.fits(client, cell))
    return next(fitting, None)
