"""The gateways to compare with. Each is installed in a folder of its own, on demand, and run as it comes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from gateway.bench.processes import free_port
from gateway.errors import GatewayError

PEERS = Path(__file__).resolve().parent / "peers"
"""Git-ignored."""
KEY = "sk-not-a-secret"


class Peer(ABC):
    """A gateway that somebody else makes."""

    name: str
    headers: tuple[str, ...] = ()
    model = "gpt-4o-mini"

    def __init__(self) -> None:
        self.folder = PEERS / self.name

    @abstractmethod
    def install(self) -> None:
        """Install it. Raises `CalledProcessError` or `OSError` when it cannot be had."""

    @abstractmethod
    def version(self) -> str:
        """The installed version. Raises `GatewayError` when it is not installed."""

    @abstractmethod
    def argv(self, port: int, upstream: int, scratch: Path) -> Sequence[str]:
        """How to run it, in front of an upstream on a port; config files go to `scratch`."""

    def missing(self) -> GatewayError:
        """Say that it is not there."""
        return GatewayError(f"{self.name} is not installed; --install does it")


class Nginx(Peer):
    """A plain reverse proxy: the practical limit of what an HTTP proxy can do on the machine."""

    name = "nginx"

    def install(self) -> None:
        if self._program() is None:
            subprocess.run(["apt-get", "install", "--yes", "--quiet", "nginx-light"], check=True)

    def version(self) -> str:
        program = self._program()
        if program is None:
            raise self.missing()
        said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stderr
        return said.partition("/")[2].split()[0]

    def argv(self, port: int, upstream: int, scratch: Path) -> Sequence[str]:
        config = scratch / "nginx.conf"
        config.write_text(
            f"""
            worker_processes 1; daemon off; pid {scratch}/nginx.pid; error_log stderr warn;
            events {{ worker_connections 4096; }}
            http {{
              access_log off;
              client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy;
              fastcgi_temp_path {scratch}/fastcgi; uwsgi_temp_path {scratch}/uwsgi; scgi_temp_path {scratch}/scgi;
              keepalive_requests 100000000;
              upstream mock {{ server 127.0.0.1:{upstream}; keepalive 512; keepalive_requests 100000000; }}
              server {{
                listen 127.0.0.1:{port};
                location / {{
                  proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection "";
                  proxy_buffering off;
                }}
              }}
            }}
            """
        )
        return [str(self._program()), "-p", str(scratch), "-e", "stderr", "-c", str(config)]

    def _program(self) -> str | None:
        return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


class PythonPeer(Peer):
    """One that PyPI has; it gets a virtual environment of its own."""

    package: str
    extras = ""

    def install(self) -> None:
        if not self._bin("python").exists():
            subprocess.run([sys.executable, "-m", "venv", self.folder], check=True)
        subprocess.run(
            [self._bin("python"), "-m", "pip", "install", "--quiet", self.package + self.extras], check=True
        )

    def version(self) -> str:
        show = [self._bin("python"), "-m", "pip", "show", self.package]
        if not self._bin("python").exists():
            raise self.missing()
        shown = subprocess.run(show, capture_output=True, text=True, check=False).stdout
        if found := re.search(r"^Version: (\S+)", shown, re.MULTILINE):
            return found[1]
        raise self.missing()

    def _bin(self, name: str) -> Path:
        return self.folder / "bin" / name


class VllmRouter(PythonPeer):
    """A router written in Rust."""

    name = package = "vllm-router"

    def argv(self, port: int, upstream: int, scratch: Path) -> Sequence[str]:  # noqa: ARG002 - needs no file
        options = {
            "--worker-urls": f"http://127.0.0.1:{upstream}",
            "--host": "127.0.0.1",
            "--port": str(port),
            "--prometheus-port": str(free_port()),
            "--policy": "round_robin",
            "--log-level": "warning",
        }
        return [str(self._bin("vllm-router")), *(text for pair in options.items() for text in pair)]


class LiteLLM(PythonPeer):
    """The proxy server of LiteLLM: one worker, a master key, no database."""

    name = package = "litellm"
    extras = "[proxy]"

    def argv(self, port: int, upstream: int, scratch: Path) -> Sequence[str]:
        target = {
            "model": f"openai/{self.model}",
            "api_base": f"http://127.0.0.1:{upstream}/v1",
            "api_key": KEY,
        }
        config = {
            "model_list": [{"model_name": self.model, "litellm_params": target}],
            "general_settings": {"master_key": KEY},
            "litellm_settings": {"telemetry": False},
        }
        file = scratch / "litellm.yaml"
        file.write_text(json.dumps(config))  # JSON is YAML
        options = ["--config", str(file), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
        return ["env", "LITELLM_LOG=ERROR", str(self._bin("litellm")), *options]


class Portkey(Peer):
    """The open-source gateway of Portkey, on Node."""

    name = "portkey"
    package = "@portkey-ai/gateway"

    def install(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "install", "--silent", "--prefix", self.folder, self.package], check=True)

    def version(self) -> str:
        try:
            return json.loads((self._package() / "package.json").read_text())["version"]
        except OSError:
            raise self.missing() from None

    def argv(self, port: int, upstream: int, scratch: Path) -> Sequence[str]:  # noqa: ARG002 - needs no file
        self.headers = (
            "x-portkey-provider: openai",
            f"x-portkey-custom-host: http://127.0.0.1:{upstream}/v1",
        )
        server = self._package() / "build" / "start-server.js"
        environment = ["TRUSTED_CUSTOM_HOSTS=127.0.0.1,localhost", "NODE_ENV=production"]
        return ["env", *environment, "node", str(server), f"--port={port}", "--headless"]

    def _package(self) -> Path:
        return self.folder / "node_modules" / self.package


ALL: tuple[type[Peer], ...] = (Nginx, VllmRouter, LiteLLM, Portkey)
