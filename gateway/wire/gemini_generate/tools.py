"""Tools and which of them may be used, to and from the canonical form. https://ai.google.dev/api/caching#Tool."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.wire.built_in import written
from gateway.wire.canonical import ChatRequest, Foreign, Tool, ToolChoice
from gateway.wire.codec import Losses
from gateway.wire.gemini_generate.schemas import json_schema
from gateway.wire.gemini_generate.shapes import DIALECT

_DECLARED: Final = "tools.functionDeclarations"
"""Under which name `extra` keeps what only Gemini can say of a function."""
_CALLING: Final = "functionCallingConfig"


class _Declaration(Struct, rename="camel"):
    name: str
    description: str | None = None
    parameters: Any = None
    parameters_json_schema: Any = None


class _Calling(Struct, rename="camel"):
    mode: str | None = None
    allowed_function_names: list[str] | None = None


class _Tools(Struct, rename="camel"):
    """For the sake of its name in messages."""

    function_declarations: list[_Declaration]


class _Config(Struct, rename="camel"):
    function_calling_config: _Calling | None = None


class _Outer(Struct, rename="camel"):
    tools: list[_Tools] = []
    tool_config: _Config | None = None


_KNOWN: Final = frozenset(_Declaration.__struct_encode_fields__)


def read_tools(
    tools: list[dict[str, Any]], config: dict[str, Any], extra: dict[str, Any]
) -> tuple[tuple[Tool | Foreign, ...], ToolChoice | None]:
    """Return the tools, and which may be used; what has no place in these goes into `extra`."""
    functions: list[dict[str, Any]] = [
        {"functionDeclarations": tool.get("functionDeclarations") or []} for tool in tools
    ]
    outer = msgspec.convert({"tools": functions, "toolConfig": config}, _Outer)
    calling = outer.tool_config.function_calling_config if outer.tool_config else None
    choice, strict = _read_choice(calling or _Calling())
    found: list[Tool | Foreign] = []
    more: dict[str, dict[str, Any]] = {}
    for tool, own in zip(tools, outer.tools, strict=True):
        found += [_function(declaration, strict) for declaration in own.function_declarations]
        for declared in tool.get("functionDeclarations") or ():
            beyond = {
                key: value for key, value in declared.items() if key not in _KNOWN and value is not None
            }
            if beyond:
                more[declared["name"]] = beyond
        found += [
            Foreign(dialect=DIALECT, type=kind, value={kind: value})
            for kind, value in tool.items()
            if kind != "functionDeclarations" and value is not None
        ]
    if more:
        extra[_DECLARED] = more
    _keep_the_rest(config, extra)
    return tuple(found), choice


def written_tools(request: ChatRequest, losses: Losses) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return `tools` and `toolConfig`; what cannot be said is told to `losses`."""
    ours = request.dialect == DIALECT
    more: dict[str, dict[str, Any]] = request.extra.get(_DECLARED, {}) if ours else {}
    functions: list[dict[str, Any]] = []
    built_in: list[dict[str, Any]] = []
    strict = False
    for tool in request.tools:
        if isinstance(tool, Foreign):
            own = written(tool, DIALECT, losses)
            built_in += [own] if own else []
            continue
        if tool.custom:
            losses.cannot("tools.custom")
            continue
        if tool.cache is not None:
            losses.cannot("cache_control")
        strict = strict or bool(tool.strict)
        functions.append(_written(tool) | more.get(tool.name, {}))
    if request.parallel_tool_calls is False and functions:
        losses.cannot("parallel_tool_calls")
    tools = [{"functionDeclarations": functions}] if functions else []
    config: dict[str, Any] = dict(request.extra.get("toolConfig", {})) if ours else {}
    calling = _written_choice(request.tool_choice, strict=strict)
    if calling:
        config[_CALLING] = calling | config.get(_CALLING, {})
    return [*tools, *built_in], config


def _function(declaration: _Declaration, strict: bool | None) -> Tool:
    schema = declaration.parameters_json_schema
    if schema is None and declaration.parameters is not None:
        schema = json_schema(declaration.parameters)
    return Tool(name=declaration.name, description=declaration.description, parameters=schema, strict=strict)


def _written(tool: Tool) -> dict[str, Any]:
    fields: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        fields["description"] = tool.description
    if tool.parameters is not None:
        fields["parametersJsonSchema"] = tool.parameters
    return fields


def _read_choice(calling: _Calling) -> tuple[ToolChoice | None, bool | None]:
    """Return which tools may be used, and whether their schemas bind: VALIDATED is AUTO with schemas that do."""
    names = tuple(calling.allowed_function_names or ())
    match calling.mode:
        case "ANY":
            return ToolChoice(mode="required", names=names), None
        case "NONE":
            return ToolChoice(mode="none"), None
        case "VALIDATED":
            return ToolChoice(mode="auto", names=names), True
        case "AUTO":
            return ToolChoice(mode="auto", names=names), None
        case _:
            return (ToolChoice(mode="auto", names=names) if names else None), None


def _written_choice(choice: ToolChoice | None, *, strict: bool) -> dict[str, Any]:
    names = choice.names if choice else ()
    if choice is None or choice.mode == "auto":
        if not (strict or names):
            return {"mode": "AUTO"} if choice else {}
        mode = "VALIDATED"  # AUTO takes no list of names
    else:
        mode = "ANY" if choice.mode == "required" else "NONE"
    return {"mode": mode, "allowedFunctionNames": names} if names else {"mode": mode}


def _keep_the_rest(config: dict[str, Any], extra: dict[str, Any]) -> None:
    """Keep what only Gemini can say about its tools, such as where the user is."""
    rest = {name: value for name, value in config.items() if name != _CALLING and value is not None}
    calling: dict[str, Any] = config.get(_CALLING) or {}
    known = _Calling.__struct_encode_fields__
    beyond = {name: value for name, value in calling.items() if name not in known and value}
    if beyond:
        rest[_CALLING] = beyond
    if rest:
        extra["toolConfig"] = rest
