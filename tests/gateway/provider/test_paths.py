from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.provider.paths import Declared, OwnPaths, decoded
from gateway.upstream.origin import parse_url

PIECES = [
    "/",
    "..",
    ".",
    "%2e",
    "%2F",
    "%5c",
    "\\",
    "a",
    "files",
    "@evil.test",
    ":8080",
    "//evil.test",
    "%0d%0a",
    "%00",
]
MORE = ["%252e", "%2", "?", "#", ";", "..;", "\r\n", " ", "http:", "%C3%A9", "%ff", "\u2025"]


@given(st.lists(st.sampled_from(PIECES + MORE), max_size=8).map("".join))
def test_nothing_leaves_the_base_url(rest: str) -> None:
    path = "/" + rest
    try:
        plain = decoded(path)
    except InvalidRequest:
        return
    origin, target = parse_url(f"https://api.test/v1{path}")
    assert (origin.host, origin.port) == ("api.test", 443)
    assert target == f"/v1{path}"
    assert plain == unquote(path)
    assert ".." not in plain.split("/")
    assert "//" not in plain
    assert not set(plain) & set("\\?#\r\n\0")
    assert unquote(plain) == plain, "decoding once more changes nothing"


@pytest.mark.parametrize(
    "path",
    [
        "/../admin",
        "/files/..",
        "/%2e%2e/admin",
        "/%2E./admin",
        "/files/..;/admin",
        "/files%2Fx",
        "/files%2fx",
        "/%252e%252e/x",
        "/a//b",
        "//evil.test/x",
        "/a\\b",
        "/a%5Cb",
        "/a%0d%0ahost:%20evil",
        "/a%00",
        "/a%",
        "/a%zz",
        "/a%3Fb",
        "/a%23b",
        "/a%ff",
        "/a b",
        "/é",
        "http://evil.test/",
        "",
    ],
)
def test_tricks_are_refused(path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decoded(path)
    assert caught.value.message.startswith("This path cannot be handed on: ")


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/files/abc", "/files/abc"),
        ("/files/", "/files/"),
        ("/models/a%3Ab", "/models/a:b"),
        ("/caf%C3%A9", "/café"),
        ("/user@host:80/x", "/user@host:80/x"),
    ],
)
def test_honest_paths_are_decoded(path: str, plain: str) -> None:
    assert decoded(path) == plain


@pytest.mark.parametrize(
    ("base", "path", "below"),
    [
        ("https://api.test/v1", "/v1/files", "/files"),
        ("https://api.test/v1", "/files", "/files"),
        ("https://api.test/v1", "/v10/files", "/v10/files"),
        ("https://api.test", "/v1/files", "/v1/files"),
        ("https://api.test/openai/v1", "/openai/v1/files", "/files"),
        ("https://api.test/openai/v1", "/v1/files", "/files"),
    ],
)
def test_a_version_may_be_said_twice(base: str, path: str, below: str) -> None:
    assert OwnPaths(base, ()).below(path) == below


@pytest.mark.parametrize(
    ("declared", "method", "path", "covered"),
    [
        ("/files", "GET", "/files", True),
        ("/files", "DELETE", "/files", True),
        ("GET /files", "POST", "/files", False),
        ("GET /files", "HEAD", "/files", True),
        ("POST /files", "HEAD", "/files", False),
        ("/files", "GET", "/files/x", False),
        ("/files", "GET", "/FILES", False),
        ("/files/*", "GET", "/files/x", True),
        ("/files/*", "GET", "/files/x/content", True),
        ("/files/*", "GET", "/files", False),
        ("/files/*", "GET", "/files/", False),
        ("/files/*/content", "GET", "/files/x/content", True),
        ("/files/*/content", "GET", "/files/x/y/content", False),
        ("/models/*:tune", "POST", "/models/a:tune", True),
        ("/a.c", "GET", "/abc", False),
    ],
)
def test_what_is_declared(declared: str, method: str, path: str, *, covered: bool) -> None:
    name = declared.rpartition(" ")[2]
    assert OwnPaths("https://api.test", [declared]).declared(method, path) == (name if covered else None)


@pytest.mark.parametrize("text", ["files", "get /files", "GET  /files", "GET /a b", "", "/files\n"])
def test_declarations_that_mean_nothing_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no path such as"):
        Declared.parse(text)


@given(st.text(alphabet="/abc*", max_size=10).map("/".__add__))
def test_a_declared_path_covers_itself_unless_it_has_wildcards(path: str) -> None:
    if "*" not in path:
        assert OwnPaths("https://api.test", [path]).declared("GET", path) == path
    assert urlsplit(f"https://api.test{path}").path == path
