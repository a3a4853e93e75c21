"""One stored file over HTTP, in all the ways it may be asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from litestar import Request, Response, route
from litestar.params import FromPath
from litestar.testing import TestClient, create_test_client

from airtally.files.serve import ServedFile, send
from airtally.files.store import FileStore
from airtally.kit.errors import Failure
from airtally.kit.http import METHODS

BODY = bytes(range(256)) * 5000


@pytest.fixture
def client() -> Iterator[TestClient[Any]]:
    files = FileStore.open("memory:///")
    files.write("kept/a.csv", [BODY])
    files.write("kept/empty.csv", [b""])

    @route("/{name:str}", http_method=METHODS, sync_to_thread=True)
    def download(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
        body = b"" if name == "empty.csv" else BODY
        file = ServedFile(f"kept/{name}", name, len(body), hashlib.sha256(body).hexdigest(), "text/csv")
        return send(request, files, file, {"Airtally-Rows": "7"})

    def failed(_: Request[Any, Any, Any], failure: Failure) -> Response[Any]:
        return Response(failure.message, status_code=failure.status)

    with create_test_client([download], exception_handlers={Failure: failed}) as client:
        yield client


def ask(client: TestClient[Any], name: str = "a.csv", method: str = "GET", **headers: str) -> httpx.Response:
    return client.request(
        method, f"/{name}", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def test_whole(client: TestClient[Any]) -> None:
    answer = ask(client)
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["content-length"] == str(len(BODY))
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="a.csv"'
    assert answer.headers["airtally-rows"] == "7"
    assert answer.headers["airtally-sha256"] == hashlib.sha256(BODY).hexdigest()


def test_headers_alone(client: TestClient[Any]) -> None:
    answer = ask(client, method="HEAD")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", str(len(BODY)))


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=0-0", 0, 1), ("bytes=10-", 10, None), ("bytes=-7", -7, None), ("bytes=3-99999999", 3, None)],
)
def test_a_range(client: TestClient[Any], asked: str, start: int, end: int | None) -> None:
    answer = ask(client, range=asked)
    assert (answer.status_code, answer.content) == (206, BODY[start:end])
    first = start % len(BODY)
    assert answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(BODY)}"


@pytest.mark.parametrize("asked", [f"bytes={len(BODY)}-", "bytes=9-3", "bytes=-0"])
def test_a_range_of_nothing(client: TestClient[Any], asked: str) -> None:
    answer = ask(client, range=asked)
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(BODY)}")


@pytest.mark.parametrize("asked", ["bytes=", "bytes=a-b", "lines=0-1", "bytes=0-1,4-5"])
def test_what_is_no_single_range_is_as_none(client: TestClient[Any], asked: str) -> None:
    assert ask(client, range=asked).content == BODY


def test_tags(client: TestClient[Any]) -> None:
    tag = ask(client).headers["etag"]
    assert ask(client, if_none_match=tag).status_code == 304
    assert ask(client, if_none_match='"another"').status_code == 200
    assert ask(client, range="bytes=0-1", if_range=tag).status_code == 206
    assert ask(client, range="bytes=0-1", if_range='"another"').content == BODY


def test_an_empty_file(client: TestClient[Any]) -> None:
    answer = ask(client, "empty.csv")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


def test_a_file_that_is_gone(client: TestClient[Any]) -> None:
    assert ask(client, "gone.csv").status_code == 404
