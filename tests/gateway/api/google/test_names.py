"""Files and caches of Google's in requests: each tenant may name only its own, however it writes their names."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from google.genai import errors, types
from httpx2 import AsyncClient

from gateway import Gateway
from gateway.api.google.names import GoogleNames
from gateway.errors import InvalidRequest
from gateway.store import Database

from .conftest import Sdk, Serve
from .service import Google
from .test_batches import REQUESTS, lines, upload

DECLARED = ("/cachedContents", "/cachedContents/*")
MODEL = "up/gemini-2.5-flash"
START = "https://generativelanguage.googleapis.com/v1beta/"
FILM = "https://www.youtube.com/watch?v=abc"


def about(uri: str, **more: Any) -> dict[str, Any]:
    parts = [{"text": "What is it?"}, {"fileData": {"fileUri": uri, "mimeType": "text/plain"}}]
    return {"contents": [{"role": "user", "parts": parts}], **more}


async def streamed(sdk: Sdk, **asked: Any) -> None:
    async for _ in await sdk.models.generate_content_stream(**asked):
        pass


async def a_file(sdk: Sdk) -> str:
    file = await sdk.files.upload(file=io.BytesIO(b"A secret."), config={"mime_type": "text/plain"})
    return file.uri


@pytest.fixture
async def http(build: Callable[..., Gateway]) -> AsyncGenerator[AsyncClient]:
    gateway = build(passthrough=DECLARED)
    async with gateway.lifespan(), gateway.client as client:
        yield client


async def test_a_chat_may_name_its_tenants_own_files_and_caches(
    serve: Serve, google: Google, calls: Any
) -> None:
    async with serve(passthrough=DECLARED) as sdks:
        own, other = sdks("acme"), sdks("other")
        uri = await a_file(own)
        words = {"contents": [{"role": "user", "parts": [{"text": "A long book."}]}]}
        cache = await own.caches.create(model=MODEL, config=words)
        part = types.Part.from_uri(file_uri=uri, mime_type="text/plain")
        film = types.Part.from_uri(file_uri=FILM, mime_type="video/mp4")
        cached = {"cached_content": cache.name}
        for contents, config in (([part, film], None), ("Hi.", cached)):
            got = await own.models.generate_content(model=MODEL, contents=contents, config=config)
            assert got.text == "Read."
        count = len(google.requests)
        for contents, config, name in (
            ([part], None, "files/file-u0"),
            ("Hi.", cached, "cachedContents/c1"),
            (
                [types.Part.from_uri(file_uri=f"{START}files/unknown", mime_type="text/plain")],
                None,
                "files/unknown",
            ),
        ):
            for ask in (other.models.generate_content, functools.partial(streamed, other)):
                with pytest.raises(errors.ClientError) as refused:
                    await ask(model=MODEL, contents=contents, config=config)
                assert (refused.value.code, refused.value.status) == (404, "NOT_FOUND")
                assert refused.value.message == f"There is no '{name}', or it is not yours."
        assert len(google.requests) == count
        assert (await other.models.generate_content(model=MODEL, contents=[film])).text == "Read."
        rows = [row for row in await calls() if row["tenant"] == "other"]
        assert sorted(row["status"] for row in rows) == ["failed"] * 6 + ["success"]


DISGUISES: list[Callable[[str], bytes]] = [
    lambda uri: (
        json.dumps(about(uri)).replace("fileData", "file_data").replace("fileUri", "file_uri").encode()
    ),
    lambda uri: json.dumps(about(uri)).replace("fileUri", "file\\u0055ri").encode(),
    lambda uri: json.dumps(about(uri)).replace('"mimeType"', f'"fileUri": "{FILM}", "mimeType"').encode(),
    lambda uri: json.dumps(about(uri)).replace("/", "\\/").encode(),
    lambda uri: json.dumps(about(uri.removeprefix(START))).encode(),
    lambda uri: json.dumps(about(uri.replace("google", "GOOGLE").replace("com/", "com:443/"))).encode(),
    lambda uri: json.dumps(about(uri.replace("files", "%66iles"))).encode(),
    lambda uri: json.dumps(about(uri.replace("v1beta/", "v1beta/./"))).encode(),
    lambda uri: json.dumps(about(uri, n=int("9" * 4000))).replace("9" * 4000, "9" * 5000).encode(),
]


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "multipart/form-data; boundary=x"])
async def test_no_disguise_helps(
    http: AsyncClient, google: Google, disguise: Callable[[str], bytes], kind: str
) -> None:
    body = disguise(f"{START}files/file-u0")
    for path in (
        f"/v1beta/models/{MODEL}:generateContent",
        f"/v1/models/{MODEL}:streamGenerateContent",
        "/provider/up/v1beta/models/gemini-2.5-flash:generateContent",
    ):
        answer = await http.post(
            path, content=body, headers={"x-goog-api-key": "other", "content-type": kind}
        )
        assert answer.status_code in {400, 404}, answer.text
    assert google.requests == []


async def test_other_dialects_and_methods(http: AsyncClient, google: Google) -> None:
    uri = f"{START}files/file-u0"
    image = {"type": "image_url", "image_url": {"url": uri}}
    chat = {"model": MODEL, "messages": [{"role": "user", "content": [image]}]}
    count = {"generateContentRequest": {"model": MODEL, **about(uri)}}
    for path, body in (
        ("/v1/chat/completions", chat),
        (f"/v1beta/models/{MODEL}:countTokens", count),
        (f"/v1beta/models/{MODEL}:embedContent", {"content": about(uri)["contents"][0]}),
        ("/v1beta/cachedContents", {"model": f"models/{MODEL}", **about(uri)}),
        ("/provider/up/v1beta/cachedContents", {"model": f"models/{MODEL}", **about(uri)}),
    ):
        answer = await http.post(path, json=body, headers={"x-goog-api-key": "other"})
        assert (answer.status_code, "not yours" in answer.text) == (404, True), (path, answer.text)
    assert google.requests == []


async def test_batches_name_only_their_tenants_files(serve: Serve, google: Google, calls: Any) -> None:
    async with serve() as sdks:
        own, other = sdks("acme"), sdks("other")
        uri = await a_file(own)
        asked = about(uri)
        batch = await own.batches.create(model=MODEL, src=[*REQUESTS, asked])
        assert batch.name == "batches/b1"
        named = await upload(other, lines("a") + lines("b", **asked))
        count = len(google.requests)
        for src, where in (
            ([*REQUESTS, asked], "Request 4 of the batch"),
            (named, "Line 2 of the input file"),
        ):
            with pytest.raises(errors.ClientError, match=f"{where}.*There is no 'files/file-u0'") as refused:
                await other.batches.create(model=MODEL, src=src)
            assert refused.value.code == 404
        assert len(google.requests) == count
        rows = await calls(running=4)
        assert {row["status"] for row in rows if row["tenant"] == "other"} <= {"failed"}


async def test_a_declared_path_shows_no_others_caches(http: AsyncClient, google: Google) -> None:
    words = {"model": f"models/{MODEL}", "contents": [{"role": "user", "parts": [{"text": "A book."}]}]}
    made = await http.post("/v1beta/cachedContents", json=words, headers={"x-goog-api-key": "acme"})
    assert made.json()["name"] == "cachedContents/c1"
    path = "/provider/up/v1beta/cachedContents"
    shown = await http.get(f"{path}/c1", headers={"x-goog-api-key": "acme"})
    assert shown.status_code == 200
    count = len(google.requests)
    for method in ("GET", "PATCH", "DELETE"):
        for name in ("c1", "%631", "c2"):
            other = await http.request(method, f"{path}/{name}", headers={"x-goog-api-key": "other"})
            assert other.status_code == 404, other.text
    listed = await http.get(path, headers={"x-goog-api-key": "acme"})
    assert (listed.status_code, "ask /v1beta/cachedContents" in listed.text) == (403, True)
    assert len(google.requests) == count


async def test_without_the_setting_nobody_looks(build: Callable[..., Gateway], google: Google) -> None:
    gateway = build(files={})
    async with gateway.lifespan(), gateway.client as client:
        answer = await client.post(
            f"/v1beta/models/{MODEL}:generateContent",
            json=about(f"{START}files/file-u0"),
            headers={"x-goog-api-key": "other"},
        )
    assert answer.status_code == 200
    assert len(google.requests) == 1


@pytest.mark.parametrize(
    ("uri", "is_kept"),
    [
        (FILM, False),
        ("gs://bucket/files/abc", False),
        ("https://example.com/v1beta/files/abc", False),
        ("https://storage.googleapis.com/files/abc", False),
        (f"{START}files/abc:download", True),
        ("files/abc", True),
        ("https://generativelanguage.mtls.googleapis.com/v1/files/abc", True),
        ("https:/v1beta/files/abc", True),
        (f"{START}elsewhere", True),
        ("https://[", True),
    ],
)
async def test_addresses_elsewhere_are_the_providers_affair(
    database: Database, uri: str, *, is_kept: bool
) -> None:
    names = GoogleNames(database, "up")
    assert bool(names.kept([("fileUri", uri)])) == is_kept
    if is_kept:
        with pytest.raises(InvalidRequest) as missing:
            await names.check("acme", json.dumps(about(uri)).encode())
        assert missing.value.status == 404
