"""What a handler returns, as HTTP sends it: status, ETag, Location, body."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from msgspec import Struct
from pydantic import BaseModel
from starlette.responses import Response

from gateway.admin import PREFIX
from gateway.admin.endpoint import Endpoint
from gateway.admin.etags import etag, none_match
from gateway.admin.shapes import Shown, ShownOnce


class Made(Struct, frozen=True, kw_only=True):
    """An answer before it is sent."""

    status: int
    headers: dict[str, str]
    body: bytes | None
    replay: bytes | None
    """The body without what is shown once."""

    def response(self, if_none_match: bytes | None = None) -> Response:
        """Make the response: 304 without a body when the client has it already."""
        tag = self.headers.get("etag")
        if tag is not None and none_match(if_none_match, int(tag.strip('"'))):
            return Response(status_code=304, headers=self.headers)
        return Response(
            self.body, status_code=self.status, headers=self.headers, media_type="application/json"
        )


def make(endpoint: Endpoint, shown: Shown | None, root: str) -> Made:
    """Make the answer of what a handler returned; `root` is the path at which the gateway is mounted."""
    if shown is None:
        return Made(status=endpoint.success, headers={}, body=None, replay=None)
    headers: dict[str, str] = {}
    revision = getattr(shown, "revision", None)
    if revision is not None:
        headers["etag"] = etag(revision)
    status, name = endpoint.success, getattr(shown, "id", None)
    if status == 201 and name is not None and "{" not in endpoint.path:  # noqa: PLR2004 - Created
        headers["location"] = f"{root}{PREFIX}{endpoint.path}/{quote(str(name), safe='/')}"
    fields = shown.model_dump(mode="json")
    body = msgspec.json.encode(fields)
    secrets = _shown_once(type(shown))
    replay = msgspec.json.encode({**fields, **dict.fromkeys(secrets)}) if secrets else body
    return Made(status=status, headers=headers, body=body, replay=replay)


def _shown_once(model: type[BaseModel]) -> list[str]:
    return [
        name
        for name, field in model.model_fields.items()
        if any(isinstance(mark, ShownOnce) for mark in field.metadata)
    ]
