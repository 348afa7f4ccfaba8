"""What a streamed chunk costs, passed through in each dialect and translated between them.

    python benchmarks/dialects.py [--rounds 3] [--seconds 2] [--connections 64] [--json FILE]

One gateway with everything on, one mock upstream for each provider's dialect that sends 50 events, one every 10 ms, and nginx as
a plain reverse proxy before one of them, all visited in turn. Needs Linux and a C compiler. See README.md for how to read it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, cast

from peers import Nginx
from tools import BUILD, HERE, tools

from gateway.bench import payload
from gateway.bench.measure import Meter, Plan, Subject
from gateway.bench.processes import Processes, free_port
from gateway.bench.run import GATEWAY
from gateway.bench.system import Cores
from gateway.types import Usage
from gateway.wire import CODECS
from gateway.wire.canonical import ChatRequest, End, Event, Message, Start, Stop, Text, TextDelta, UsageReport
from gateway.wire.codec import ChatCodec, Losses

PROVIDERS = {"compatible": "openai.chat", "anthropic": "anthropic.messages", "gemini": "gemini.generate"}
"""Provider and dialect of each mock upstream."""
USE = {"compatible": "openai"}
"""Plugin of a provider that is called otherwise: a service of OpenAI's like that only chats."""
PATHS = {
    "openai.chat": "/v1/chat/completions",
    "openai.responses": "/v1/responses",
    "anthropic.messages": "/v1/messages",
    "gemini.generate": "/v1beta/models/{model}:streamGenerateContent?alt=sse",
}


class Way(NamedTuple):
    """A client's dialect, and the provider asked."""

    dialect: str
    provider: str

    @property
    def name(self) -> str:
        """For the table."""
        return f"{self.dialect} → {PROVIDERS[self.provider]}"


WAYS = (
    Way("openai.chat", "compatible"),
    Way("anthropic.messages", "anthropic"),
    Way("gemini.generate", "gemini"),
    Way("anthropic.messages", "compatible"),
    Way("gemini.generate", "compatible"),
    Way("openai.responses", "compatible"),
    Way("openai.chat", "anthropic"),
    Way("openai.chat", "gemini"),
)


def main() -> int:
    """Run from the command line; 1 when a stream failed."""
    arguments = _arguments()
    if shutil.which("cc") is None:
        sys.stderr.write("dialects.py needs a C compiler for its mock upstreams\n")
        return 1
    plan = Plan(arguments.seconds, arguments.rounds, arguments.connections)
    meter = Meter(plan, Cores.choose(), tools())
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-dialects-")))
        processes = stack.enter_context(Processes(folder))
        ports = {name: _mock(name, meter, processes) for name in PROVIDERS}
        subjects = [*_nginx(meter, processes, ports, folder), *_gateway(meter, processes, ports, folder)]
        for number in range(1, plan.rounds + 1):
            for subject in subjects:
                sys.stderr.write(f"round {number} of {plan.rounds}: {subject.name}\n")
                meter.streams(subject)
    sys.stdout.write("".join(_table(subjects)))
    if arguments.json:
        record = {subject.name: subject.figures.record() for subject in subjects}
        arguments.json.write_text(json.dumps(record, indent=2))
    return int(any(subject.figures.total("bad_streams") for subject in subjects))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each pass")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _events() -> list[list[Event]]:
    usage = Usage(prompt_tokens=342, completion_tokens=88)
    first: list[Event] = [Start("bench-1", "bench", 1_760_000_000, usage), TextDelta("The")]
    middle: list[list[Event]] = [[TextDelta(" letters")] for _ in range(payload.EVENTS - 2)]
    return [first, *middle, [Stop("stop"), UsageReport(usage), End()]]


def _mock(name: str, meter: Meter, processes: Processes) -> int:
    codec = cast("ChatCodec", CODECS[PROVIDERS[name]])
    encoder = codec.encoder(_asked(PROVIDERS[name]))
    frames = [frame for events in _events() if (frame := encoder.encode(events))]
    chunks = [b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames]
    records = [b"", payload.stream_head(), *chunks[:-1], chunks[-1] + b"0\r\n\r\n"]
    file = BUILD / f"payload.{name}"
    file.write_bytes(b"".join(b"%d\n%b" % (len(record), record) for record in records))
    argv = [str(BUILD / "mock"), "--payload", str(file), "--port", "0", "--gap", "10"]
    return int(processes.printed(name, processes.start(name, argv, core=meter.cores.mock)))


def _asked(dialect: str) -> ChatRequest:
    turns = [Message(role="user", parts=(Text(text="Where are the letters of the keepers? " * 20),))]
    turns += [Message(role="assistant", parts=(Text(text="Second floor, shelf 14. " * 10),)), *turns]
    return ChatRequest(
        dialect=dialect, model="bench", messages=tuple(turns), stream=True, max_tokens=256, temperature=0.3
    )


def _request(way: Way, key: str | None, file: Path, model: str) -> Path:
    body: Mapping[str, Any] = json.loads(
        cast("ChatCodec", CODECS[way.dialect]).encode_request(_asked(way.dialect), model, Losses("bench", {}))
    )
    # Spaced JSON: a load generator that sees '"stream":true' waits for OpenAI's last word.
    path = PATHS[way.dialect].replace("{model}", model)
    file.write_bytes(payload.request(json.dumps(body).encode(), path=path, key=key))
    return file


def _nginx(meter: Meter, processes: Processes, ports: Mapping[str, int], folder: Path) -> Iterator[Subject]:
    nginx, port = Nginx(), free_port()
    try:
        argv = nginx.argv(port, ports["compatible"], folder)
    except Exception as error:  # noqa: BLE001 - whatever is missing, the table is worth having without it
        sys.stderr.write(f"without nginx: {error}\n")
        return
    process = processes.start("nginx", argv, core=meter.cores.gateway)
    request = _request(WAYS[0], None, folder / "nginx.request", "bench")
    processes.answered("nginx", process, port, request.read_bytes())
    yield Subject("nginx", port, request, request, process.pid)


def _gateway(meter: Meter, processes: Processes, ports: Mapping[str, int], folder: Path) -> Iterator[Subject]:
    config = folder / "plugins.toml"
    tables = [
        (HERE / "plugins.toml")
        .read_text()
        .replace("600", "1000000000")
        .replace("1000000\n", "1000000000000\n")
    ]
    for name, port in ports.items():
        path = {"compatible": "/v1", "gemini": "/v1beta"}.get(name, "")
        tables.append(
            f'[provider.{name}]\nuse = "{USE.get(name, name)}"\nbase_url = "http://127.0.0.1:{port}{path}"\napi_key = "sk-not-a-secret"\n'
        )
    config.write_text("\n".join(tables))
    create = [*GATEWAY, "keys", "create", "-c", str(config), "--name", "bench", "--json"]
    key = json.loads(subprocess.run(create, capture_output=True, check=True).stdout)["key"]
    port = free_port()
    argv = [*GATEWAY, "serve", "-c", str(config), "--port", str(port), "--log-level", "warning"]
    process = processes.start("gateway", argv, core=meter.cores.gateway)
    for way in WAYS:
        file = _request(way, key, folder / f"{way.dialect}-{way.provider}", f"{way.provider}/bench")
        processes.answered("gateway", process, port, file.read_bytes())
        yield Subject(way.name, port, file, file, process.pid)


def _table(subjects: list[Subject]) -> Iterator[str]:
    yield "| | CPU µs/chunk | nginx = 1 | CPU µs/stream | first event p50 ms | failed |\n|---|---:|---:|---:|---:|---:|\n"
    figures = {subject.name: subject.figures for subject in subjects}
    base = figures["nginx"].median("cpu_us_per_chunk") if "nginx" in figures else None
    for name, figure in figures.items():
        chunk, spread = figure.median("cpu_us_per_chunk"), figure.spread("cpu_us_per_chunk")
        if chunk is None or spread is None:
            continue
        relative = f"{chunk / base:.2f}" if base else "—"
        stream, first = (
            figure.median("cpu_us_per_stream") or 0,
            figure.median("stream_first_byte_p50_us") or 0,
        )
        yield (
            f"| {name} | {chunk:.1f} ({spread[0]:.1f}…{spread[1]:.1f}) | {relative} | {stream:,.0f} "
            f"| {first / 1000:.1f} | {figure.total('bad_streams'):.0f} |\n"
        )
    passed = [figures[way.name].median("cpu_us_per_chunk") for way in WAYS[:3]]
    translated = [figures[way.name].median("cpu_us_per_chunk") for way in WAYS[3:]]
    yield f"\nPassed through: {statistics.mean(filter(None, passed)):.1f} µs; "
    yield f"translated: {statistics.mean(filter(None, translated)):.1f} µs.\n"


if __name__ == "__main__":
    sys.exit(main())
