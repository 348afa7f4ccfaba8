"""What stands in a request, field by field: `ChatModelInput` of @aigne/core, in the envelope of its HTTP transport."""

from __future__ import annotations

from typing import Any, Final, Literal

from msgspec import Struct

from gateway.types import Dialect

DIALECT: Final[Dialect] = "aigne.chat"


class CacheControl(Struct):
    """A breakpoint of the prompt's cache."""

    ttl: Literal["5m", "1h"] | None = None


class ImageUrl(Struct):
    """An address in an object, as older clients send it."""

    url: str


class Content(Struct, rename="camel"):
    """A part of a message: `text`, `url`, `file`, `local` or, from older clients, `image_url`."""

    type: str
    text: str | None = None
    url: str | None = None
    data: str | None = None
    image_url: ImageUrl | str | None = None
    mime_type: str | None = None
    filename: str | None = None
    is_thinking: bool = False
    cache_control: CacheControl | None = None


class Function(Struct):
    """A function that was called."""

    name: str
    arguments: Any = None
    """An object; from some clients the JSON text of one."""


class Metadata(Struct, rename="camel"):
    """What a provider wants back with a call."""

    thought_signature: str | None = None


class Called(Struct):
    """A tool call."""

    id: str
    function: Function
    metadata: Metadata | None = None


class Turn(Struct, rename="camel"):
    """A message."""

    role: Literal["system", "user", "agent", "assistant", "tool"]
    content: str | list[Content] | None = None
    tool_calls: list[Called] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    cache_control: CacheControl | None = None


class Declared(Struct):
    """A function that may be called."""

    name: str
    description: str | None = None
    parameters: Any = None


class ToolFields(Struct, rename="camel"):
    """A tool."""

    function: Declared
    cache_control: CacheControl | None = None


class Named(Struct):
    """The function that is to be called."""

    name: str


class Chosen(Struct):
    """The tool that is to be called."""

    function: Named


class Schema(Struct):
    """The schema of an answer."""

    name: str | None = None
    description: str | None = None
    schema: Any = None
    strict: bool | None = None


class Format(Struct, rename="camel"):
    """The shape of an answer."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None


class AutoBreakpoints(Struct, rename="camel"):
    """After what the prompt is worth caching."""

    tools: bool = True
    system: bool = True
    last_message: bool = False


class CacheConfig(Struct, rename="camel"):
    """Wishes for the prompt's cache."""

    enabled: bool = True
    ttl: str | float | None = None
    """`5m` or `1h`; for Gemini's seconds there is no word."""
    strategy: Literal["auto", "manual"] = "auto"
    auto_breakpoints: AutoBreakpoints | None = None


class ModelOptions(Struct, rename="camel"):
    """How the model is to answer."""

    model: str = ""
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    parallel_tool_calls: bool | None = None
    modalities: list[str] | None = None
    reasoning_effort: int | str | None = None
    cache_config: CacheConfig | None = None
    prefer_input_file_type: str | None = None
    """For the client itself."""


class Input(Struct, rename="camel"):
    """What is asked."""

    messages: list[Turn]
    model_options: ModelOptions | None = None
    tools: list[ToolFields] | None = None
    tool_choice: Literal["auto", "none", "required"] | Chosen | None = None
    response_format: Format | None = None


class Options(Struct):
    """How it is to be answered."""

    streaming: bool | None = None


class Request(Struct):
    """The whole body. What else the framework's transport says is for agents, and no matter for a model."""

    input: Input
    options: Options | None = None


class SentInput(Struct, rename="camel"):
    """The same, where all options are wanted."""

    model_options: dict[str, Any] | None = None


class Sent(Struct):
    """The whole body, where all options are wanted."""

    input: SentInput
