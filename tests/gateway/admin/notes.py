"""A resource with everything that a resource can have, to try the framework with."""

from __future__ import annotations

import threading
from typing import Annotated, Any

import anyio.to_thread

from gateway.admin.endpoint import SIGNED_IN, Endpoint
from gateway.admin.paging import after, page
from gateway.admin.request import AdminRequest
from gateway.admin.shapes import Body, Page, PageQuery, Query, Shown, ShownOnce
from gateway.errors import InvalidRequest
from gateway.store.changes import check_expected


class NewNote(Body):
    text: str
    number: int = 0


class Note(Shown):
    id: str
    text: str
    revision: int
    secret: Annotated[str | None, ShownOnce()] = None


class Number(Shown):
    value: int


class Notes:
    """Notes by tenant, in memory."""

    def __init__(self) -> None:
        self.notes: dict[tuple[str, str], Note] = {}
        self.made = 0
        self.reached = threading.Event()
        self.released = threading.Event()
        self.numbers: list[int] = []
        note = "/notes/{id}"
        read, write = "keys.read", "keys.manage"
        self.endpoints = (
            Endpoint(
                method="POST",
                path="/notes",
                permission=write,
                handler=self.create,
                summary="Create",
                body=NewNote,
                answer=Note,
            ),
            Endpoint(
                method="GET",
                path=note,
                permission=(read, "keys.own"),
                handler=self.show,
                summary="Show",
                answer=Note,
            ),
            Endpoint(
                method="PUT",
                path=note,
                permission=write,
                handler=self.change,
                summary="Change",
                body=NewNote,
                answer=Note,
            ),
            Endpoint(method="DELETE", path=note, permission=write, handler=self.delete, summary="Delete"),
            Endpoint(
                method="GET",
                path="/notes/first",
                permission=SIGNED_IN,
                handler=self.first,
                summary="First",
                answer=Number,
            ),
            Endpoint(
                method="GET",
                path="/numbers",
                permission=SIGNED_IN,
                handler=self.list,
                summary="List",
                query=PageQuery,
                answer=Page[Number],
            ),
            Endpoint(method="GET", path="/fault", permission=SIGNED_IN, handler=self.fail, summary="Fail"),
            Endpoint(
                method="GET",
                path="/gateway/secret",
                permission="gateway.config",
                handler=self.first,
                summary="All",
                answer=Number,
            ),
        )

    async def create(self, request: AdminRequest[Query, NewNote]) -> Note:
        text = request.body.text
        if text == "bad":
            raise InvalidRequest("No such text.", param="text")
        if text == "slow":
            self.reached.set()
            assert await anyio.to_thread.run_sync(self.released.wait, 30)
        self.made += 1
        note = Note(id=f"note_{self.made}", text=text, revision=self.made, secret=f"s3cret-{self.made}")
        self.notes[request.tenant, note.id] = note.model_copy(update={"secret": None})
        return note

    async def show(self, request: AdminRequest[Query, None]) -> Note:
        return self._find(request)

    async def change(self, request: AdminRequest[Query, NewNote]) -> Note:
        note = self._find(request)
        check_expected(request.expected, note.revision)
        note = note.model_copy(update={"text": request.body.text, "revision": note.revision + 100})
        self.notes[request.tenant, note.id] = note
        return note

    async def delete(self, request: AdminRequest[Query, None]) -> None:
        note = self._find(request)
        check_expected(request.expected, note.revision)
        del self.notes[request.tenant, note.id]

    async def first(self, request: AdminRequest[Query, None]) -> Number:
        return Number(value=1)

    async def list(self, request: AdminRequest[PageQuery, None]) -> Page[Number]:
        start = after(request.query.cursor, tuple[int])
        rows = [n for n in self.numbers if start is None or n > start[0]][: request.query.limit + 1]
        shown, cursor = page(rows, request.query.limit, lambda n: (n,))
        return Page[Number](data=[Number(value=n) for n in shown], next_cursor=cursor)

    async def fail(self, request: AdminRequest[Query, None]) -> None:
        raise RuntimeError("s3cret-in-a-fault")

    def _find(self, request: AdminRequest[Any, Any]) -> Note:
        found = self.notes.get((request.tenant, request.path["id"]))
        if found is None:
            raise InvalidRequest("There is no such note.", status=404, code="not_found")
        return found
