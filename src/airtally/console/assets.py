"""The files that pages load, each at an address with its hash, so that browsers keep it for a year."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from isal import igzip
from litestar import Response, Router, route

from airtally.kit.errors import NotFound
from airtally.kit.http import METHODS
from airtally.web.requests import AnyRequest

_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
_FOR_A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent. `name` is its path below `assets/`."""

    name: str
    media_type: str
    content: bytes
    packed: bytes
    tag: str

    @property
    def address(self) -> str:
        """As `/assets/console.4f9a0c1d2e3b.css`."""
        stem, _, ending = self.name.rpartition(".")
        return f"/assets/{stem}.{self.tag}.{ending}"


def asset_address(name: str) -> str:
    """Where a page loads the file from. Raises KeyError for one that is not there."""
    return _assets()[name].address


def routes() -> list[Any]:
    @route("/assets/{name:path}", http_method=METHODS, sync_to_thread=False, cache_control=None)
    def send_asset(request: AnyRequest) -> Response[bytes]:
        found = _by_address().get(request.scope["path"])
        if found is None:
            raise NotFound("There is no such file")
        headers = {"Cache-Control": _FOR_A_YEAR, "Vary": "Accept-Encoding", "ETag": f'"{found.tag}"'}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(found.content, media_type=found.media_type, headers=headers)
        return Response(found.packed, media_type=found.media_type, headers=headers | {"Content-Encoding": "gzip"})

    return [Router("/", route_handlers=[send_asset])]


@cache
def _assets() -> dict[str, Asset]:
    folder = files("airtally.console").joinpath("assets")
    return {name: _asset(name, file.read_bytes()) for name, file in _files_below(folder, "")}


@cache
def _by_address() -> dict[str, Asset]:
    return {each.address: each for each in _assets().values()}


def _files_below(folder: Traversable, before: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for each in folder.iterdir():
        name = before + each.name
        if each.is_dir():
            found += _files_below(each, f"{name}/")
        elif each.name.rpartition(".")[2] in _TYPES:
            found.append((name, each))
    return found


def _asset(name: str, content: bytes) -> Asset:
    tag = hashlib.sha256(content).hexdigest()[:12]
    return Asset(name, _TYPES[name.rpartition(".")[2]], content, igzip.compress(content, 3), tag)
