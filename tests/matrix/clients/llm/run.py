"""Simon Willison's llm, with the models that it takes from a file of its own."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import harness as h

FOLDER = Path(tempfile.mkdtemp())
os.environ["LLM_USER_PATH"] = str(FOLDER)  # noqa: TID251 - llm takes it from nowhere else
ABILITIES = {"supports_tools": True, "supports_schema": True, "vision": True, "reasoning": True}
MODELS = [
    {
        "model_id": name,
        "model_name": name,
        "api_base": f"{h.url()}/v1",
        "api_key_name": "gateway",
        **ABILITIES,
    }
    for name in h.sys.argv[3:]
]
(FOLDER / "extra-openai-models.yaml").write_text(json.dumps(MODELS))  # JSON is YAML, too
(FOLDER / "keys.json").write_text(json.dumps({"gateway": h.key()}))

import llm  # noqa: E402 - it looks for its folder when it is imported
import openai  # noqa: E402

KNOWN = {model.model_id: model for model in llm.get_models()}


def weather(city: str) -> str:
    """The weather."""
    return h.weather(city)


def ask(model: str, question: str, **more: Any) -> Any:
    return KNOWN[model].prompt(question, **more)


def plain(model: str) -> None:
    answer = ask(model, h.HELLO, system="Be short.", stream=False)
    h.same(answer.text(), h.TEXT)
    assert answer.usage().input > 0


def stream(model: str) -> None:
    h.same("".join(ask(model, h.HELLO)), h.TEXT)


def chain(model: str, question: str, **more: Any) -> str:
    answers = list(KNOWN[model].chain(question, tools=[weather], **more).responses())
    return answers[-1].text()


def tools(model: str) -> None:
    h.told(model, chain(model, h.ROME), "Rome")


def parallel(model: str) -> None:
    h.told(model, chain(model, h.BOTH), "Rome", "Oslo")


def image(model: str) -> None:
    picture = llm.Attachment(type="image/png", content=h.picture())
    h.pictured(model, ask(model, h.LOOK, attachments=[picture]).text())


def structured(model: str) -> None:
    h.person(model, ask(model, h.WHO, schema=h.PERSON).text())


def thinking(model: str) -> None:
    h.told(model, chain(model, h.ROME, options={"reasoning_effort": "low"}), "Rome", remembers=True)


def error(model: str) -> None:
    h.refuses(lambda: ask(model, h.FAIL).text(), openai.RateLimitError, words=h.BUSY)


def cut(model: str) -> None:
    h.broken(h.refuses(lambda: ask(model, h.BREAK_OFF).text(), Exception))


h.main(
    {
        "plain": plain,
        "stream": stream,
        "tools": tools,
        "parallel tools": parallel,
        "image": image,
        "structured output": structured,
        "thinking": thinking,
        "error": error,
        "cut stream": cut,
    }
)
