"""Accounts that are contracts (EIP-1271) sign in where a node of their chain is known, and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway import Gateway
from gateway.errors import ConfigError
from gateway_wallet.contracts import calldata
from gateway_wallet.ethereum import digest_of
from gateway_wallet.undeployed import Undeployed, program

from .browser import CONFIG, ORIGIN, Browser, refusal
from .ethereum_node import ACCEPTED, REFUSED, Contract, Node, node, owned_by
from .ethereum_wallet import EthereumWallet

SAFE = "0xa5b3A53800cD49669F34DE80f2C569c6D4Ca3009"
OWNER = EthereumWallet(31)
FACTORY = b"\x11" * 20
MAKING = b"make it"
ARGENT = (
    f"localhost:4361 wants you to sign in with your Ethereum account:\n{SAFE}\n\nSIWE Notepad Example\n\n"
    "URI: http://localhost:4361\nVersion: 1\nChain ID: 1\nNonce: FbYd6TNB4m0IUHDG7\nIssued At: 2022-04-19T18:55:04.444Z"
)
"""That a contract on mainnet has accepted with the signature below: test/eip1271.json of spruceid/siwe."""
SIGNATURE = (
    "00193f8bb87a8bd4a8367a47ee477c62aec984830ec59e730b28d1ec54669eab"
    "450b9f3108a5c435648691c5766b35e2f13b8fb29f46298bb378ac34597d7e271c"
)


@contextmanager
def serving(folder: Path, chain: Node) -> Generator[Callable[[], Browser]]:
    core = {**CONFIG["gateway"], "database": f"sqlite:///{folder / 'gateway.db'}"}
    wallet = {**CONFIG["auth"]["wallet"], "nodes": {"1": chain.url}}
    gateway = Gateway.from_dict({"gateway": core, "auth": {"wallet": wallet}})
    with TestClient(gateway, base_url=ORIGIN, raise_server_exceptions=False) as client:
        yield lambda: Browser(client, gateway)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Node, Callable[[], Browser]]]:
    with node() as chain, serving(tmp_path_factory.mktemp("contracts"), chain) as new_browser:
        yield chain, new_browser


@pytest.fixture
def chain(served: tuple[Node, Callable[[], Browser]]) -> Node:
    chain, _ = served
    chain.contracts = {SAFE: owned_by(OWNER.address)}
    chain.factories = {}
    chain.calls.clear()
    chain.instead = None
    return chain


@pytest.fixture
def browser(served: tuple[Node, Callable[[], Browser]], chain: Node) -> Browser:
    del chain  # as it was
    return served[1]()


def proved(browser: Browser, sign: Callable[[str], str], *, chain: int = 1, address: str = SAFE) -> Any:
    begun = browser.post("/sign-in/siwe/message", {"address": address, "chain": chain})
    message = begun.json()["message"]
    return browser.post("/sign-in/siwe", {"message": message, "signature": sign(message)})


def by_contract(message: str, owner: EthereumWallet = OWNER) -> str:
    """A signature as the contract wants it: not one that a key alone could have made."""
    return "0x07" + owner.sign(message)[2:]


def test_a_known_message_is_put_to_the_contract_as_others_put_it() -> None:
    """Figures by ethers 6: `hashMessage`, and the encoding of `isValidSignature(bytes32,bytes)`."""
    assert digest_of("hello").hex() == "50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b37750"
    digest = "13f64d354be469f23cf911231c7acf0b0faf781fbdef0eb1c463bdec229faf0b"
    assert digest_of(ARGENT).hex() == digest
    words = f"{64:064x}{65:064x}{SIGNATURE}{0:062x}"
    assert calldata(bytes.fromhex(digest), bytes.fromhex(SIGNATURE)).hex() == f"1626ba7e{digest}{words}"


def test_a_contract_signs_in_as_itself(browser: Browser, chain: Node) -> None:
    assert proved(browser, by_contract).json() == {"status": "succeed"}
    browser.signed_in()
    assert browser.subjects() == [f"did:pkh:eip155:1:{SAFE}"]
    ((asked, _),) = chain.calls
    assert asked == SAFE


def test_a_key_is_put_to_nobody(browser: Browser, chain: Node) -> None:
    assert proved(browser, OWNER.sign, address=OWNER.address).status_code == 200
    assert chain.calls == []


def test_what_the_contract_does_not_accept_is_refused(browser: Browser, chain: Node) -> None:
    stranger = EthereumWallet(32)

    def answers(result: str) -> str:
        chain.contracts[SAFE] = lambda _digest, _signature: result
        return refusal(proved(browser, by_contract), 401)

    assert "accepts the signature" in refusal(
        proved(browser, lambda message: by_contract(message, stranger)), 401
    )
    assert "accepts the signature" in refusal(proved(browser, OWNER.sign), 401), "the contract reverts"
    for result in ("0x", "0x1626ba7e", ACCEPTED[:-1] + "1", ACCEPTED + "0" * 64, "0x" + "0" * 64):
        assert "accepts the signature" in answers(result), result
    del chain.contracts[SAFE]
    assert "accepts the signature" in refusal(proved(browser, by_contract), 401), "there is no contract"


def answering(result: str) -> Contract:
    """A contract that says the same to everything."""
    return lambda _digest, _signature: result


def before_deployment(signature: str, *, factory: bytes = FACTORY, making: bytes = MAKING) -> str:
    """Wrap a signature as EIP-6492 has it: address, bytes and bytes by Solidity's rules, and the mark."""
    signed = bytes.fromhex(signature[2:])
    parts = [len(part).to_bytes(32) + part + bytes(-len(part) % 32) for part in (making, signed)]
    head = factory.rjust(32, b"\0") + (96).to_bytes(32) + (96 + len(parts[0])).to_bytes(32)
    return "0x" + (head + b"".join(parts)).hex() + "6492" * 16


def test_a_contract_signs_in_before_it_is_on_its_chain(browser: Browser, chain: Node) -> None:
    chain.contracts.clear()
    chain.factories = {FACTORY: {MAKING: (SAFE, owned_by(OWNER.address))}}
    assert proved(browser, lambda message: before_deployment(by_contract(message))).json() == {
        "status": "succeed"
    }
    assert browser.subjects() == [f"did:pkh:eip155:1:{SAFE}"]
    assert chain.calls == []


def test_one_that_is_there_by_now_is_asked_itself(browser: Browser, chain: Node) -> None:
    chain.factories = {}
    assert proved(browser, lambda message: before_deployment(by_contract(message))).status_code == 200
    ((asked, _),) = chain.calls
    assert asked == SAFE


def test_nobody_signs_in_for_a_contract_that_would_not_accept_it(browser: Browser, chain: Node) -> None:
    stranger, other = EthereumWallet(32), "0x" + "42" * 20
    chain.contracts.clear()
    chain.factories = {
        FACTORY: {MAKING: (SAFE, owned_by(OWNER.address)), b"other": (other, answering(ACCEPTED))}
    }

    def refused(sign: Callable[[str], str]) -> None:
        assert "accepts the signature" in refusal(proved(browser, sign), 401)

    refused(lambda message: before_deployment(by_contract(message, stranger)))
    refused(
        lambda message: before_deployment(OWNER.sign(message))
    )  # the contract reverts, with the very words of a yes
    refused(lambda message: before_deployment(by_contract(message), making=b"other"))
    refused(lambda message: before_deployment(by_contract(message), making=b"unknown"))
    refused(lambda message: before_deployment(by_contract(message), factory=bytes(20)))
    for result in ("0x", "0x1626ba7e", ACCEPTED + "0" * 64, REFUSED):
        chain.factories = {FACTORY: {MAKING: (SAFE, answering(result))}}
        refused(lambda message: before_deployment(by_contract(message)))


def test_the_program_is_the_one_that_a_real_machine_has_run() -> None:
    """Its hash, as it was run by an Ethereum virtual machine, where it made a contract and had its yes."""
    question = calldata(b"\x22" * 32, b"abc")
    making = bytes.fromhex(
        "6029600c60003960296000f37f1626ba7e0000000000000000000000000000000000000000000000000000000060005260206000f3"
    )
    written = program(Undeployed(b"\x11" * 20, making, b"abc"), b"\x55" * 20, question)
    assert (
        hashlib.sha256(written).hexdigest()
        == "532ae27602fb028411c1ab4edf903ced1d55e7a0d24226cea0ba7562dee81c51"
    )


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("0x07" + "ab" * 65, "no node of chain 10"),
        ("0x" + "ab" * 64 + "1b", "no node of chain 10"),
        ("0x" + "ab" * 40 + "6492" * 16, "EIP-6492"),
        ("0x" + "ab" * 96 + "6492" * 16, "EIP-6492"),
        ("0x" + f"{9:064x}{96:064x}{99:064x}" + "6492" * 16, "cut short"),
        ("0x" + f"{9:064x}{96:064x}{96:064x}{33:064x}" + "6492" * 16, "cut short"),
        ("0x" + f"{9:064x}{96:064x}{96:064x}{0:064x}" + "6492" * 16, "no node of chain 10"),
        ("0x123", "hex digits"),
        ("signed", "hex digits"),
    ],
)
def test_what_cannot_be_asked_about_is_refused(
    browser: Browser, chain: Node, signature: str, words: str
) -> None:
    assert words in refusal(proved(browser, lambda _: signature, chain=10), 401)
    assert chain.calls == []


@pytest.mark.parametrize(
    "instead",
    [
        (500, b""),
        (200, b"not JSON"),
        (200, b'{"jsonrpc":"2.0","id":1,"result":null}'),
        (200, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"limit exceeded"}}'),
        (200, b'"' + b"x" * 70_000 + b'"'),
        (302, b""),
    ],
)
def test_a_node_that_does_not_tell_lets_nobody_in(
    browser: Browser, chain: Node, caplog: pytest.LogCaptureFixture, instead: tuple[int, bytes]
) -> None:
    chain.instead = instead
    response = proved(browser, by_contract)
    assert "does not answer as it should" in refusal(response, 503)
    assert "the node of chain 1: " in caplog.text
    assert "not-a-real-key" not in caplog.text + response.text
    chain.instead = None
    assert proved(browser, by_contract).status_code == 200


def test_a_node_of_another_chain_is_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with node() as chain, serving(tmp_path, chain) as new_browser:
        chain.contracts = {SAFE: owned_by(OWNER.address)}
        chain.chain = "0xaa36a7"
        refusal(proved(new_browser(), by_contract), 503)
        assert "not of chain 1" in caplog.text
        assert chain.calls == []


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ({"5": "https://node.example"}, "none of `chains`"),
        ({"1": "ws://node.example"}, "must be an address"),
        ({"1": "https://node.example:99999"}, "must be an address"),
    ],
)
def test_a_node_that_cannot_be_used_is_told_at_the_start(nodes: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Gateway.from_dict({"auth": {"wallet": {"nodes": nodes}}})
