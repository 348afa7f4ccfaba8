"""Video jobs through OpenAI's official SDK: made, asked after, fetched, remixed, listed, deleted, and nobody else's."""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from gateway import Plugin, PluginConfig, hookimpl
from gateway.protocols import Authenticator, Incoming
from gateway.testing.pytest_plugin import GatewayFactory
from gateway.testing.upstream import FakeUpstream, Reply
from gateway.types import Principal

pytestmark = pytest.mark.filterwarnings(
    "ignore:The Sora API:DeprecationWarning"
)  # others serve the same paths

JSON = {"content-type": "application/json"}
UPSTREAM_ID = "video_upstream_1"


def job(status: str = "queued", **fields: Any) -> Reply:
    shown = {
        "id": UPSTREAM_ID,
        "object": "video",
        "created_at": 1_700_000_000,
        "model": "filmer-2",
        "status": status,
        "progress": 0,
        "seconds": "8",
        "size": "720x1280",
        "a_new_field": 1,
        **fields,
    }
    return Reply(headers=JSON, parts=[json.dumps(shown).encode()])


@pytest.fixture
async def sdk(gateway_factory: GatewayFactory) -> AsyncGenerator[AsyncOpenAI]:
    async with (
        gateway_factory({"provider": {"mock": {}}}) as gateway,
        gateway.client as http,
        AsyncOpenAI(
            base_url="http://gateway/v1", api_key="sk-fake", http_client=http, max_retries=0
        ) as client,
    ):
        yield client


@pytest.fixture
async def upstream() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as upstream:
        yield upstream


@pytest.fixture
async def far(gateway_factory: GatewayFactory, upstream: FakeUpstream) -> AsyncGenerator[AsyncOpenAI]:
    """The SDK before a gateway whose provider is elsewhere, with two keys."""
    keys = ["not-a-real-key-one", "not-a-real-key-two"]
    provider = {"use": "openai", "base_url": f"{upstream.url}/v1", "api_keys": keys}
    async with (
        gateway_factory({"provider": {"films": provider}}) as gateway,
        gateway.client as http,
        AsyncOpenAI(
            base_url="http://gateway/v1", api_key="sk-fake", http_client=http, max_retries=0
        ) as client,
    ):
        yield client


async def test_a_film_from_the_first_word_to_the_last(sdk: AsyncOpenAI) -> None:
    film = await sdk.videos.create_and_poll(
        model="mock/filmer", prompt="A fox in the snow", seconds="8", poll_interval_ms=300
    )
    assert (film.status, film.seconds, film.model) == ("completed", "8", "mock/filmer")
    content = await sdk.videos.download_content(film.id)
    assert content.response.headers["content-type"] == "video/mp4"
    assert b"ftyp" in content.content
    assert [one.id async for one in sdk.videos.list()] == [film.id]
    assert (await sdk.videos.delete(film.id)).deleted
    assert [one.id async for one in sdk.videos.list()] == []
    with pytest.raises(openai.NotFoundError, match=film.id):
        await sdk.videos.retrieve(film.id)


async def test_a_film_with_a_picture_to_begin_with(sdk: AsyncOpenAI) -> None:
    film = await sdk.videos.create(
        model="mock/filmer", prompt="A fox", input_reference=("fox.png", b"\x89PNG", "image/png")
    )
    assert film.seconds == "4"
    with pytest.raises(openai.NotFoundError, match="not ready yet"):
        await sdk.videos.download_content(film.id)


async def test_pages_of_films(sdk: AsyncOpenAI) -> None:
    made = [(await sdk.videos.create(model="mock/filmer", prompt=f"Film {n}")).id for n in range(5)]
    page = await sdk.videos.list(limit=2)
    assert ([film.id for film in page.data], page.has_more) == (made[:2:-1], True)
    assert [film.id async for film in sdk.videos.list(limit=2)] == made[::-1]
    assert [film.id async for film in sdk.videos.list(limit=3, order="asc")] == made
    with pytest.raises(openai.BadRequestError, match="'limit'"):
        await sdk.videos.list(limit=0)


async def test_the_client_knows_only_the_gateways_ids_and_names(
    far: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    upstream.reply(job(), job("in_progress", progress=40))
    film = await far.videos.create(model="films/filmer-2", prompt="A fox")
    assert film.id.startswith("video_")
    assert film.id != UPSTREAM_ID
    assert (film.model, film.model_extra) == ("films/filmer-2", {"a_new_field": 1})
    (request,) = upstream.requests
    assert request.path == "/v1/videos"
    assert b'name="model"\r\n\r\nfilmer-2\r\n' in request.body
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    again = await far.videos.retrieve(film.id)
    assert (again.id, again.model, again.progress) == (film.id, "films/filmer-2", 40)
    listed = [film async for film in far.videos.list()]
    assert [(film.id, film.progress) for film in listed] == [(film.id, 40)]


async def test_a_job_is_asked_after_with_the_key_that_started_it(
    far: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    done = Reply(headers={"content-type": "video/mp4"}, parts=[b"one", b"two"])
    upstream.reply(*[job(), *[job("completed")] * 3, done] * 3)
    for _ in range(3):
        film = await far.videos.create(model="films/filmer-2", prompt="A fox")
        for _ in range(3):
            await far.videos.retrieve(film.id)
        content = await far.videos.download_content(film.id, variant="thumbnail")
        assert content.content == b"onetwo"
        asked = upstream.requests[-5:]
        assert asked[-1].path == f"/v1/videos/{UPSTREAM_ID}/content?variant=thumbnail"
        assert len({request.headers["authorization"] for request in asked}) == 1
    assert len({request.headers["authorization"] for request in upstream.requests}) == 2


async def test_a_remix(far: AsyncOpenAI, upstream: FakeUpstream) -> None:
    remixed = {"id": "video_upstream_2", "remixed_from_video_id": UPSTREAM_ID}
    upstream.reply(job(), job(**remixed), job("completed", **remixed))
    first = await far.videos.create(model="films/filmer-2", prompt="A fox")
    remix = await far.videos.remix(first.id, prompt="By night")
    assert upstream.requests[-1].path == f"/v1/videos/{UPSTREAM_ID}/remix"
    assert json.loads(upstream.requests[-1].body) == {"prompt": "By night"}
    assert (remix.remixed_from_video_id, remix.model) == (first.id, "films/filmer-2")
    again = await far.videos.retrieve(remix.id)
    assert upstream.requests[-1].path == "/v1/videos/video_upstream_2"
    assert (again.id, again.remixed_from_video_id) == (remix.id, first.id)
    with pytest.raises(openai.NotFoundError):
        await far.videos.remix("video_of_nobody", prompt="By night")


async def test_what_the_provider_has_forgotten_can_be_deleted(
    far: AsyncOpenAI, upstream: FakeUpstream
) -> None:
    refusal = {"error": {"message": "No such video.", "type": "invalid_request_error", "code": None}}
    upstream.reply(job(), Reply(status=404, headers=JSON, parts=[json.dumps(refusal).encode()]))
    film = await far.videos.create(model="films/filmer-2", prompt="A fox")
    with pytest.raises(openai.NotFoundError, match="No such video"):
        await far.videos.retrieve(film.id)
    assert (await far.videos.delete(film.id)).deleted
    assert [one async for one in far.videos.list()] == []


async def test_an_answer_that_is_no_job_is_an_error(far: AsyncOpenAI, upstream: FakeUpstream) -> None:
    upstream.reply(job(id=None))
    with pytest.raises(openai.APIStatusError, match="without a usable id"):
        await far.videos.create(model="films/filmer-2", prompt="A fox")
    assert [one async for one in far.videos.list()] == []


class Named(Plugin[PluginConfig]):
    """Takes the key for the name of the tenant."""

    id = "auth.named"

    @hookimpl
    def register_authenticators(self) -> Sequence[Authenticator]:
        return [self]

    async def authenticate(self, incoming: Incoming) -> Principal | None:
        name = incoming.headers[b"authorization"].removeprefix(b"Bearer ").decode()
        return Principal(tenant=name, authenticator=self.id)


async def test_another_tenants_film_is_not_there(gateway_factory: GatewayFactory) -> None:
    config: dict[str, Any] = {"auth": {"named": {}}, "provider": {"mock": {}}}
    async with gateway_factory(config, plugins=[Named]) as gateway, gateway.client as http:
        mine, theirs = (
            AsyncOpenAI(base_url="http://gateway/v1", api_key=name, http_client=http, max_retries=0)
            for name in ("first", "second")
        )
        film = await mine.videos.create(model="mock/filmer", prompt="A fox")
        for attempt in (
            theirs.videos.retrieve(film.id),
            theirs.videos.download_content(film.id),
            theirs.videos.remix(film.id, prompt="Mine now"),
            theirs.videos.delete(film.id),
        ):
            with pytest.raises(openai.NotFoundError, match="not found"):
                await attempt
        assert [one async for one in theirs.videos.list()] == []
        assert (await mine.videos.retrieve(film.id)).id == film.id
