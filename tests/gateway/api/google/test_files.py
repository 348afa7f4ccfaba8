"""Files of Google's clients, through the official SDK."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from google.genai import errors, types

from gateway import Gateway
from gateway.errors import ConfigError
from gateway.store import Database
from gateway.store.files import stored_bytes

from .conftest import KEY, Serve
from .service import PIECE, Google

BIG = b"0123456789abcdef" * (PIECE // 16) + b"and the rest"


async def upload(sdk: Any, data: bytes = b"some words", kind: str = "text/plain") -> Any:
    return await sdk.files.upload(file=io.BytesIO(data), config=types.UploadFileConfig(mime_type=kind))


async def test_a_file_goes_in_pieces_and_by_the_gateway(serve: Serve, google: Google) -> None:
    async with serve() as sdks:
        sdk = sdks("acme")
        file = await upload(sdk, BIG)
        assert file.name == "files/file-u0"
        assert file.uri == "https://generativelanguage.googleapis.com/v1beta/files/file-u0"
        assert google.files == {"file-u0": BIG}
        start, *pieces = google.requests
        assert [len(piece.body) for piece in pieces] == [PIECE, len(BIG) - PIECE]
        assert {one.headers["x-goog-api-key"] for one in google.requests} == {KEY}
        assert start.headers["x-goog-upload-header-content-length"] == str(len(BIG))
        assert pieces[0].path == "/upload/v1/files?upload_id=u0&upload_protocol=resumable"
        got = await sdk.files.get(name=file.name)
        assert (got.name, got.size_bytes) == (file.name, len(BIG))
        assert [one.name async for one in await sdk.files.list()] == [file.name]
        await sdk.files.delete(name=file.name)
        assert google.files == {}
        with pytest.raises(errors.ClientError) as gone:
            await sdk.files.get(name=file.name)
        assert (gone.value.code, gone.value.status) == (404, "NOT_FOUND")


async def test_nobody_reaches_what_is_anothers(serve: Serve, google: Google) -> None:
    async with serve() as sdks:
        file = await upload(sdks("acme"))
        count = len(google.requests)
        stranger = sdks("other")
        for attempt in (
            lambda: stranger.files.get(name=file.name),
            lambda: stranger.files.delete(name=file.name),
            lambda: stranger.files.download(file=file.name),
            lambda: stranger.batches.create(model="gemini-2.5-flash", src=file.name),
        ):
            with pytest.raises(errors.ClientError, match="not yours"):
                await attempt()
        assert [one async for one in await stranger.files.list()] == []
        assert len(google.requests) == count


async def test_lists_come_in_pages(serve: Serve) -> None:
    async with serve() as sdks:
        names = [(await upload(sdks("acme"))).name for _ in range(5)]
        pager = await sdks("acme").files.list(config={"page_size": 2})
        assert pager.page_size == 2
        assert [one.name async for one in pager] == names[::-1]


async def test_the_address_for_pieces_is_good_for_that_file_alone(
    build: Callable[..., Gateway], google: Google
) -> None:
    gateway = build()
    start = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
    async with gateway.lifespan(), gateway.client as http:
        nobody = await http.post("/upload/v1beta/files", headers=start, json={})
        assert (nobody.status_code, nobody.json()["error"]["status"]) == (401, "UNAUTHENTICATED")
        unknown = await http.post("/upload/v1beta/files?upload_id=guessed", content=b"x")
        assert (unknown.status_code, unknown.json()["error"]["status"]) == (404, "NOT_FOUND")
        assert unknown.headers["x-goog-upload-status"] == "final", "or the SDK would try again"
        assert google.requests == []
        begun = await http.post(
            "/upload/v1beta/files?key=acme",
            headers=start | {"x-goog-upload-header-content-type": "text/plain"},
            json={},
        )
        address = begun.headers["x-goog-upload-url"]
        assert address.startswith("http://gateway/upload/v1beta/files?upload_id=")
        assert "example.com" not in str(begun.headers)
        last = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
        done = await http.post(address, headers=last, content=b"words")
        assert done.json()["file"]["name"] == "files/file-u0"
        again = await http.post(address, headers=last, content=b"other words")
        assert again.status_code == 404
        assert google.files == {"file-u0": b"words"}


async def test_what_is_refused_before_the_provider_hears_of_it(serve: Serve, google: Google) -> None:
    async with serve(files={"google": "up", "max_bytes": 20}) as sdks:
        with pytest.raises(errors.ClientError) as large:
            await upload(sdks("acme"), b"x" * 21)
        assert (large.value.code, large.value.status) == (413, "INVALID_ARGUMENT")
        with pytest.raises(errors.ClientError, match="cannot be chosen"):
            await sdks("acme").files.upload(
                file=io.BytesIO(b"x"), config=types.UploadFileConfig(mime_type="text/plain", name="mine")
            )
        with pytest.raises(errors.ClientError) as elsewhere:
            await upload(sdks("elsewhere"))
        assert (elsewhere.value.code, elsewhere.value.status) == (403, "PERMISSION_DENIED")
        assert google.requests == []


async def test_an_error_of_the_provider_is_told_in_its_words(serve: Serve, google: Google) -> None:
    async with serve() as sdks:
        file = await upload(sdks("acme"))
        google.broken.add("/v1/files/file-u0")
        with pytest.raises(errors.ServerError) as busy:
            await sdks("acme").files.get(name=file.name)
        assert (busy.value.code, busy.value.status, busy.value.message) == (503, "UNAVAILABLE", "Busy.")


async def test_without_a_provider_it_says_what_is_missing(serve: Serve) -> None:
    async with serve(files={}) as sdks:
        with pytest.raises(
            errors.ClientError, match=r'google = "gemini" under \[gateway\.files\]'
        ) as refused:
            await upload(sdks("acme"))
        assert (refused.value.code, refused.value.status) == (404, "NOT_FOUND")


@pytest.mark.parametrize("name", ["nobody", "mock"])
def test_a_provider_without_such_files_is_refused_at_the_start(
    build: Callable[..., Gateway], name: str
) -> None:
    with pytest.raises(ConfigError, match=rf"gateway\.files\W+google: .*'{name}'"):
        build(files={"google": name})


async def test_what_the_provider_refuses_takes_no_room(
    serve: Serve, google: Google, database: Database
) -> None:
    google.broken.add("/upload/v1/files")
    async with serve() as sdks:
        with pytest.raises(errors.ServerError, match="Busy"):
            await upload(sdks("acme"), b"{}\n", "jsonl")
        assert google.requests[-1].path == "/upload/v1/files"
        assert await stored_bytes(database, "acme") == 0
        google.broken.clear()
        await upload(sdks("acme"), b"{}\n", "jsonl")
        assert await stored_bytes(database, "acme") == 3
