"""Signatures, against AWS's published examples and what botocore 1.44 makes of the same requests."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway_bedrock.sigv4 import Signer

EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # of AWS's documentation
EXAMPLE_TIME = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()
HOST = {"host": "example.amazonaws.com"}
MODEL = "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse"
PROFILE = (
    "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0"
    "/converse-stream"
)


@pytest.mark.parametrize(
    ("method", "query", "headers", "body", "signature"),
    [
        ("GET", "", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "Param2=value2&Param1=value1",
            {},
            b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET",
            "",
            {"my-header1": " value1", "my-header2": ' "a   b   c" '},
            b"",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "POST",
            "",
            {"content-type": "application/x-www-form-urlencoded"},
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
)
def test_published_examples(
    method: str, query: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    signer = Signer("AKIDEXAMPLE", EXAMPLE_SECRET, None, region="us-east-1", service="service")
    added = dict(signer.sign(method, "/", {**HOST, **headers}, body, now=EXAMPLE_TIME, query=query))
    assert added[b"x-amz-date"] == b"20150830T123600Z"
    names = ";".join(sorted([*HOST, *headers, "x-amz-date"]))
    assert added[b"authorization"].decode() == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


@pytest.mark.parametrize(
    ("token", "path", "body", "signature"),
    [
        (None, MODEL, b"", "85da602455e1916a017c05ed00a7f594ce07d45882a7f62fe59b9436dbd4d16e"),
        (
            None,
            MODEL,
            b'{"a":"\xc3\xbc"}',
            "7642661fe6bb07ac0701333c69fe0f4293502b9ff518b9fb53cd74123ac3fd41",
        ),
        (
            None,
            PROFILE,
            b'{"messages":[]}',
            "b8076d3691a8217ec5b37f1a3f51bf03a3daf867b370e3dca65d1b90905b2f1a",
        ),
        (
            "not-a-real-session-token==",
            MODEL,
            b'{"messages":[]}',
            "22894906399f4eae64e53eba8764f55ad605c55c74fe5c03196c72a3346a78b3",
        ),
        (
            "not-a-real-session-token==",
            PROFILE,
            b'{"a":"\xc3\xbc"}',
            "63de0fa7706324f71debc899b4eef02d409189044d1d1abd276141872d2f9e1a",
        ),
    ],
)
def test_as_botocore(token: str | None, path: str, body: bytes, signature: str) -> None:
    signer = Signer(
        "AKIDEXAMPLE", "not-a-real-secret-access-key", token, region="us-east-1", service="bedrock"
    )
    headers = {"content-type": "application/json", "host": "bedrock-runtime.us-east-1.amazonaws.com"}
    now = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
    added = dict(signer.sign("POST", path, headers, body, now=now))
    assert added[b"authorization"].decode().endswith(f"Signature={signature}")
    assert added.get(b"x-amz-security-token") == (token.encode() if token else None)


def test_the_key_changes_with_the_day() -> None:
    def sign(signer: Signer, day: int) -> bytes:
        now = datetime(2026, 11, day, tzinfo=UTC).timestamp()
        return dict(signer.sign("GET", "/", HOST, b"", now=now))[b"authorization"]

    def signer() -> Signer:
        return Signer("id", "not-a-real-secret", None, region="us-east-1", service="s")

    old = signer()
    sign(old, 20)
    assert sign(old, 21) == sign(signer(), 21) != sign(signer(), 20)
