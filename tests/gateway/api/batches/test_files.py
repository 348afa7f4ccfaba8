"""Files through the official SDK, on both databases."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from typing import Any

import openai
import pytest

from gateway import Gateway
from gateway.store import Database
from gateway.store.files import delete_expired_files
from gateway.store.stored_tables import file_chunks, files

from .conftest import Serve

BIG = random.Random(1).randbytes(2 * 2**20 + 12_345)
"""More than two chunks."""


async def count(database: Database, table: Any) -> int:
    async with database.connect() as connection:
        return len((await connection.execute(table.select())).all())


async def test_a_file_comes_back_as_it_was(serve: Serve) -> None:
    async with serve() as sdk:
        made = await sdk.files.create(file=("größe 1.bin", BIG), purpose="user_data")
        assert (made.bytes, made.filename, made.purpose) == (len(BIG), "größe 1.bin", "user_data")
        assert made.expires_at is None
        assert await sdk.files.retrieve(made.id) == made
        answer = await sdk.files.content(made.id)
        assert hashlib.sha256(answer.content).digest() == hashlib.sha256(BIG).digest()
        assert answer.response.headers["content-length"] == str(len(BIG))
        assert answer.response.headers["x-content-type-options"] == "nosniff"
        empty = await sdk.files.create(file=("empty", b""), purpose="user_data")
        assert (await sdk.files.content(empty.id)).content == b""


async def test_a_deleted_file_leaves_nothing(serve: Serve, database: Database) -> None:
    async with serve() as sdk:
        made = await sdk.files.create(file=("a", BIG), purpose="user_data")
        kept = await sdk.files.create(file=("b", b"kept"), purpose="user_data")
        assert (await sdk.files.delete(made.id)).deleted
        with pytest.raises(openai.NotFoundError, match=made.id):
            await sdk.files.retrieve(made.id)
        with pytest.raises(openai.NotFoundError):
            await sdk.files.delete(made.id)
        assert (await sdk.files.content(kept.id)).content == b"kept"
        assert await count(database, file_chunks) == 1


async def test_files_are_listed_page_by_page(serve: Serve) -> None:
    async with serve() as sdk:
        made = [(await sdk.files.create(file=(f"{n}", b"x"), purpose="batch")).id for n in range(4)]
        await sdk.files.create(file=("other", b"x"), purpose="vision")
        assert [file.id async for file in sdk.files.list(limit=3, purpose="batch")] == made[::-1]
        assert [file.id async for file in sdk.files.list(limit=1, order="asc", purpose="batch")] == made
        assert len((await sdk.files.list()).data) == 5
        with pytest.raises(openai.BadRequestError, match="limit"):
            await sdk.files.list(limit=0)
        with pytest.raises(openai.NotFoundError):
            await sdk.files.list(after="file-none")
        for after in ("\0", "x\0"):
            with pytest.raises(openai.NotFoundError):
                await sdk.files.list(after=after)
        with pytest.raises(openai.BadRequestError, match="purpose"):
            await sdk.files.list(purpose="\0")


async def test_files_expire(serve: Serve, database: Database) -> None:
    async with serve() as sdk:
        month = await sdk.files.create(file=("a", b"x"), purpose="batch")
        assert month.expires_at == month.created_at + 30 * 86_400
        hour = await sdk.files.create(
            file=("b", b"x"), purpose="user_data", expires_after={"anchor": "created_at", "seconds": 3600}
        )
        assert hour.expires_at == hour.created_at + 3600
        async with database.begin() as connection:
            await connection.execute(
                files.update().where(files.c.id == hour.id).values(expires_at=time.time() - 1)
            )
        with pytest.raises(openai.NotFoundError):
            await sdk.files.retrieve(hour.id)
        assert await delete_expired_files(database) == 1
        assert await count(database, file_chunks) == 1
        with pytest.raises(openai.BadRequestError, match="seconds"):
            await sdk.files.create(
                file=("b", b"x"), purpose="batch", expires_after={"anchor": "created_at", "seconds": 5}
            )


async def test_what_is_too_large_is_refused_and_not_kept(serve: Serve, database: Database) -> None:
    async with serve(gateway={"files": {"max_bytes": 1000, "max_tenant_bytes": 1500}}) as sdk:
        await sdk.files.create(file=("a", b"x" * 1000), purpose="batch")
        for size in (1001, 200_000):
            with pytest.raises(openai.APIStatusError) as refused:
                await sdk.files.create(file=("b", b"x" * size), purpose="batch")
            assert refused.value.status_code == 413
        with pytest.raises(openai.BadRequestError) as full:
            await sdk.files.create(file=("c", b"x" * 501), purpose="batch")
        assert full.value.code == "storage_full"
        assert await count(database, files) == 1


async def test_a_file_may_be_larger_than_other_requests(serve: Serve) -> None:
    async with serve(gateway={"max_body_bytes": 1000, "files": {"max_bytes": 2**20}}) as sdk:
        made = await sdk.files.create(file=("a", b"x" * 2**20), purpose="batch")
        assert made.bytes == 2**20


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"data": {"purpose": "batch"}}, "file"),
        ({"data": {"purpose": "batch"}, "files": [("file", ("a", b"x")), ("file", ("b", b"x"))]}, "file"),
        ({"data": {"purpose": "fun"}, "files": {"file": ("a", b"x")}}, "purpose"),
        ({"files": {"file": ("a", b"x")}}, "purpose"),
        ({"data": {"purpose": "batch"}, "files": {"file": ("a" * 501, b"x")}}, "file"),
        (
            {
                "data": {
                    "purpose": "batch",
                    "expires_after[anchor]": "now",
                    "expires_after[seconds]": "3600",
                },
                "files": {"file": ("a", b"x")},
            },
            "expires_after.anchor",
        ),
    ],
)
async def test_a_form_that_lacks_something_is_refused_by_name(
    build: Callable[..., Gateway], form: dict[str, Any], param: str
) -> None:
    gateway = build()
    async with gateway.lifespan(), gateway.client as http:
        files_given = form.get("files", {"other": ("o", b"x")})
        answer = await http.post("/v1/files", data=form.get("data"), files=files_given)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == param
        answer = await http.post("/v1/files", json={"purpose": "batch"})
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid_form"


async def test_an_upload_that_was_cut_is_seen_by_nobody_and_goes(serve: Serve, database: Database) -> None:
    async with serve() as sdk:
        made = await sdk.files.create(file=("a", BIG), purpose="user_data")
        async with database.begin() as connection:
            await connection.execute(files.update().values(whole=False, expires_at=time.time() - 1))
        with pytest.raises(openai.NotFoundError):
            await sdk.files.content(made.id)
        assert (await sdk.files.list()).data == []
        await delete_expired_files(database)  # or the gateway's own patrol has done so
        assert await count(database, file_chunks) == 0
