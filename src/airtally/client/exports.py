"""Exports: asked for, waited for, and their files fetched. docs/reference/exports-api.md."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypedDict
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import msgspec

from airtally.client.bodies import IntoFile
from airtally.client.calls import call
from airtally.client.errors import AirtallyError, GarbledAnswer
from airtally.client.exchange import Exchange, Pause, exchange
from airtally.client.messages import ApiAnswer, ApiRequest, read_as
from airtally.client.problems import retry_after_of
from airtally.client.retry import RetryRules

_PATH = "/api/v1/exports"
_LONGEST_PAUSE = 10.0


class ExportFields(TypedDict, total=False):
    """Either `rows` of a stream or a `query`. `wait` is the most seconds to wait until it is done."""

    rows: Mapping[str, Any]
    query: Mapping[str, Any]
    format: Literal["csv", "ndjson", "parquet"]
    compression: Literal["none", "gzip", "zstd"]
    part_rows: int
    part_bytes: int
    wait: float


class MadeExport(msgspec.Struct, frozen=True):
    """An export as the server shows it; `parts`, `rows` and `bytes` are those written."""

    id: int
    state: str
    progress: float = 0.0
    parts: int = 0
    rows: int = 0
    bytes: int = 0
    error: str | None = None
    data_through: datetime | None = None
    expires_at: datetime | None = None


class ExportNotDone(AirtallyError):
    """The export failed, was cancelled or has expired, or is not done in time; `export` says which."""

    def __init__(self, export: MadeExport) -> None:
        super().__init__(f"Export {export.id} is {export.state}" + (f": {export.error}" if export.error else ""))
        self.export = export


class _Part(msgspec.Struct, frozen=True):
    name: str
    bytes: int
    sha256: str
    url: str


class _Parts(msgspec.Struct, frozen=True):
    items: list[_Part]
    next: str | None = None


def made_export(rules: RetryRules, asked: ExportFields) -> Exchange[MadeExport]:
    """An export that is done. Raises ExportNotDone, and TypeError for an unknown field."""
    if unknown := asked.keys() - ExportFields.__annotations__.keys():
        raise TypeError(f"an export has no field {', '.join(sorted(unknown))}")
    body = {name: value for name, value in asked.items() if name != "wait"}
    begun = call(rules, "POST", _PATH, json=body, idempotency_key=uuid4().hex)
    return _waited_for(rules, begun, asked.get("wait", 3600.0))


def finished_export(rules: RetryRules, export_id: int, wait: float) -> Exchange[MadeExport]:
    """One that was asked for before."""
    return _waited_for(rules, call(rules, "GET", f"{_PATH}/{export_id}"), wait)


def _waited_for(
    rules: RetryRules, begun: Exchange[ApiAnswer], wait: float, now: Callable[[], float] = time.monotonic
) -> Exchange[MadeExport]:
    deadline = now() + wait
    answer = yield from begun
    while (export := read_as(answer, MadeExport)).state in {"queued", "running"}:
        left = deadline - now()
        if left <= 0:
            raise ExportNotDone(export)
        yield Pause(min(retry_after_of(answer) or 1.0, _LONGEST_PAUSE, left))
        answer = yield from call(rules, "GET", f"{_PATH}/{export.id}")
    if export.state != "done":
        raise ExportNotDone(export)
    return export


def downloaded_parts(rules: RetryRules, export_id: int, folder: Path, seconds: float) -> Exchange[list[Path]]:
    """The files of an export in a folder, in their order. One that is there already, whole, is not fetched again."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    cursor: str | None = None
    while not paths or cursor is not None:
        answer = yield from call(rules, "GET", f"{_PATH}/{export_id}/parts", query={"cursor": cursor, "limit": 100})
        page = read_as(answer, _Parts)
        for part in page.items:
            paths.append(folder / _plain_name(part.name))
            yield from fetched_file(rules, part.url, IntoFile(paths[-1], part.bytes, part.sha256, seconds))
        cursor = page.next
        if not page.items:
            break
    return paths


def fetched_file(rules: RetryRules, url: str, sink: IntoFile) -> Exchange[None]:
    """By the client's own address of the server, whatever the server takes for its own. A file that is there stays."""
    if sink.is_there:
        return
    link = urlsplit(url)
    path = link.path[max(link.path.find("/api/v1/"), 0) :]
    request = ApiRequest("GET", path, query=dict(parse_qsl(link.query)))
    try:
        yield from exchange(request, lambda answer: answer, rules, rules.patience, sink=sink)
    finally:
        sink.give_up()


def _plain_name(name: str) -> str:
    """Raises GarbledAnswer for a name that would lead out of the folder."""
    if not name or name != PurePosixPath(name).name or name in {".", ".."} or "\\" in name:
        raise GarbledAnswer(f"A part is called {name[:100]!r}")
    return name


def export_id_of(export: MadeExport | int) -> int:
    return export if isinstance(export, int) else export.id
