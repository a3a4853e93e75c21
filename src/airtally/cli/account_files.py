"""What `airtally account export` does: has the files made, and fetches them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from airtally.cli.server import ApiServer
from airtally.cli.waiting import until_ended
from airtally.kit.errors import BadRequest, Unavailable

FILE_COLUMNS = ("file", "rows", "bytes", "sha256")


def check_empty(folder: Path) -> None:
    """Make the folder. Raises BadRequest where there is something in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BadRequest(f"{folder} is not empty")


def until_exported(api: ApiServer, wait: float) -> dict[str, Any]:
    """Make an export of the account. Raises Unavailable where it fails or takes longer than `wait` seconds."""
    asked = api.post("/account-exports")["id"]
    return until_ended(
        lambda: api.get(f"/account-exports/{asked}"),
        f"Export {asked} of the account",
        wait=wait,
        under_way={"waiting"},
        succeeded="ready",
        working=api.exporting(),
    )


def fetch_files(api: ApiServer, made: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Fetch the files, each checked by its size and hash; a row for each. Raises what `ApiServer.fetch` does."""
    fetched, files = [], f"/api/v1/account-exports/{made['id']}/files/by-number"
    for number, each in enumerate(made["files"], 1):
        target = folder / _plain_path(each["name"])
        target.parent.mkdir(parents=True, exist_ok=True)
        api.fetch(f"{files}/{number}", target, size=each["bytes"], sha256=each["sha256"])
        fetched.append({"file": str(target), "rows": each["rows"], "bytes": each["bytes"], "sha256": each["sha256"]})
    return fetched


def _plain_path(name: str) -> PurePosixPath:
    """Raises Unavailable for a name that would lead out of the folder."""
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\\" in name:
        raise Unavailable(f"The server calls a file {name[:100]!r}")
    return path
