"""`gateway login --key` against a gateway on a socket."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway import Gateway
from gateway.cli import main


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        core = {
            "database": f"sqlite:///{tmp_path_factory.mktemp('login') / 'gateway.db'}",
            "identity": {"public_url": url, "sign_up": "open"},
        }
        gateway = Gateway.from_dict({"gateway": core, "auth": {"wallet": {}}})
        server = uvicorn.Server(uvicorn.Config(gateway, log_level="error"))
        thread = threading.Thread(target=lambda: server.run([sock]))
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.02)
        yield url
        server.should_exit = True
        thread.join()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def key(tmp_path: Path) -> str:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    return str(tmp_path / "key.pem")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_key_signs_in(url: str, key: str):
    result = run("login", "--url", url, "--key", key)
    assert result.exit_code == 0, result.output
    assert "for the tenant default" in result.output
    assert run("whoami", "--url", url).exit_code == 0


def test_only_the_address_that_was_typed_is_signed_for(url: str, key: str):
    other = url.replace("127.0.0.1", "localhost")
    result = run("login", "--url", other, "--key", key)
    assert result.exit_code == 1
    assert f"calls itself {url}" in result.output


def test_a_tenant_needs_a_browser(url: str, key: str):
    result = run("login", "--url", url, "--key", key, "--tenant", "acme")
    assert result.exit_code == 2
    assert "--tenant goes with a browser" in result.output


def test_what_is_no_key_is_said(url: str, tmp_path: Path):
    rsa = generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "rsa.pem").write_bytes(rsa)
    (tmp_path / "no.pem").write_text("nothing")
    for name in ("rsa.pem", "no.pem"):
        result = run("login", "--url", url, "--key", str(tmp_path / name))
        assert result.exit_code == 1
        assert f"{name} cannot be used as a key" in result.output
