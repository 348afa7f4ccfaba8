"""The public vectors of Sign-In with Ethereum, and messages nobody should take for one."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_wallet.ethereum import checksummed, signer_of
from gateway_wallet.siwe_message import parse

FOLDER = Path(__file__).parent / "vectors"


def vectors(name: str) -> Any:
    return json.loads((FOLDER / f"siwe_{name}.json").read_text(encoding="utf-8")).items()


def written(fields: dict[str, Any]) -> str:
    lines = [
        f"{fields['domain']} wants you to sign in with your Ethereum account:",
        fields["address"],
        "",
        fields["statement"],
        "",
        f"URI: {fields['uri']}",
        f"Version: {fields['version']}",
        f"Chain ID: {fields['chainId']}",
        f"Nonce: {fields['nonce']}",
        f"Issued At: {fields['issuedAt']}",
    ]
    optional = {"expirationTime": "Expiration Time", "notBefore": "Not Before", "requestId": "Request ID"}
    lines += [f"{title}: {fields[name]}" for name, title in optional.items() if name in fields]
    return "\n".join(lines)


@pytest.mark.parametrize(("_name", "vector"), vectors("parsing_positive"))
def test_good_messages_are_read(_name: str, vector: dict[str, Any]) -> None:
    message, fields = parse(vector["message"]), vector["fields"]
    assert message.scheme == fields.get("scheme")
    assert message.domain == fields["domain"]
    assert message.address == fields["address"]
    assert message.statement == fields.get("statement")
    assert message.uri == fields["uri"]
    assert message.chain == fields["chainId"]
    assert message.nonce == fields["nonce"]
    assert message.issued_at == datetime.fromisoformat(fields["issuedAt"])
    assert message.request_id == fields.get("requestId")
    assert [*message.resources] == fields.get("resources", [])


@pytest.mark.parametrize(("_name", "message"), vectors("parsing_negative"))
def test_bad_messages_are_refused(_name: str, message: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(message)


@pytest.mark.parametrize(("_name", "fields"), vectors("verification_positive"))
def test_good_signatures_give_their_account(_name: str, fields: dict[str, Any]) -> None:
    message = written(fields)
    assert parse(message).address == signer_of(message, fields["signature"]) == fields["address"]


@pytest.mark.parametrize(("name", "fields"), vectors("verification_negative"))
def test_bad_signatures_and_times_are_refused(name: str, fields: dict[str, Any]) -> None:
    if name in {"domain binding", "custom time", "custom nonce", "expired message", "not yet valid"}:
        message = parse(written(fields))  # the message is good; the gateway compares: test_siwe.py
        assert message.domain == fields["domain"]
        assert signer_of(written(fields), fields["signature"]) == fields["address"]
        return
    try:
        accepted = signer_of(written(fields), fields["signature"]) == parse(written(fields)).address
    except ValueError:
        accepted = False
    assert not accepted


GOOD = next(iter(vectors("parsing_positive")))[1]["message"]


@pytest.mark.parametrize(
    "message",
    [
        GOOD + "\n",
        " " + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("Version: 1", "Version: 1\nVersion: 1"),
        GOOD.replace("Chain ID: 1", "Chain ID: ¹"),
        GOOD.replace("Nonce: 32891757", "Nonce: " + "\uff13" * 8),
        GOOD.replace("2021-09-30T16", "2021-13-30T16"),
        GOOD.replace("2021-09-30T16", "2021-09-30 16"),
        GOOD.replace("I accept", "I accept\u2028URI: https://elsewhere.example"),
        GOOD.replace("service.org wants", "[::1%25eth0] wants"),
        GOOD.replace("https://service.org/login", "https://[::zz]/login"),
        GOOD + "\n" + "- https://service.org/" + "x" * 4000,
        "",
    ],
)
def test_near_misses_are_refused(message: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(message)


@given(st.text(max_size=300))
def test_garbage_is_refused_and_no_fault(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text)


@pytest.mark.parametrize(  # the examples of EIP-55
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ],
)
def test_addresses_are_written_as_eip_55_does(address: str) -> None:
    assert checksummed(address.lower()) == address


def test_the_second_signature_of_a_message_is_refused() -> None:
    fields = dict(vectors("verification_positive"))["example message"]
    signature = bytes.fromhex(fields["signature"][2:])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    other = (
        signature[:32]
        + (order - int.from_bytes(signature[32:64])).to_bytes(32)
        + bytes([27 + (28 - signature[64])])
    )
    with pytest.raises(ValueError, match="high s"):
        signer_of(written(fields), "0x" + other.hex())


@pytest.mark.parametrize("signature", ["", "0x", "0x" + "00" * 65, "0x" + "ff" * 65, "0x" + "11" * 64])
def test_no_signature_at_all_is_refused(signature: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        signer_of("hello", signature)


@settings(max_examples=40)
@given(st.data())
def test_whatever_is_changed_the_account_has_not_signed_it(data: st.DataObject) -> None:
    fields = dict(vectors("verification_positive"))["example message"]
    message, signature = written(fields), bytearray.fromhex(fields["signature"][2:])
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(message) - 1))
        other = data.draw(st.characters(codec="ascii").filter(lambda c: c != message[at]))
        message = message[:at] + other + message[at + 1 :]
    else:
        signature[data.draw(st.integers(0, 63))] ^= data.draw(st.integers(1, 255))
    try:
        signer = signer_of(message, "0x" + signature.hex())
    except ValueError:
        return
    assert signer != fields["address"]
