"""The documentation at `/docs`, as `make docs` built it (scripts/docs_site)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from litestar import Response, Router, route
from litestar.response import Redirect

import airtally
from airtally.kit.errors import NotFound
from airtally.kit.fair_executor import in_thread
from airtally.kit.http import METHODS, accepts_gzip, is_known
from airtally.web.requests import AnyRequest

FOLDER = Path(airtally.__file__).parent / "docs_site"
#: Lists the files of the site; no other file is ever sent.
LIST = "site.json"
#: Litestar adds the character set, UTF-8.
_TYPES = {
    "css": "text/css",
    "gif": "image/gif",
    "html": "text/html",
    "jpg": "image/jpeg",
    "js": "text/javascript",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
}
_POLICY = (
    "default-src 'self'; script-src 'self'{scripts}; style-src 'self'{styles}; img-src 'self' data:; object-src 'none'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
#: A file whose name has the hash of its content.
_HASHED = re.compile(r"\.[0-9a-f]{8}\.min\.(css|js)$")


class SiteFile(msgspec.Struct):
    """A file of the site. `tag` is a hash of its content; `packed`: a copy in gzip lies beside it.

    `scripts` and `styles` are the hashes of those within a page, as a Content-Security-Policy names them.
    """

    tag: str
    packed: bool
    scripts: list[str] = []
    styles: list[str] = []


@dataclass(frozen=True, slots=True)
class _SiteList:
    """The list as it was read; `read_at` tells it from the one of a later build."""

    read_at: tuple[int, int]
    files: dict[str, SiteFile]


class DocsSite:
    """The built site in a folder, which may be built anew, or for the first time, while the server runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._list = _SiteList((0, 0), {})

    def answer(self, request: AnyRequest, path: str) -> Response[Any]:
        """The file at `path` below `/docs/`; a folder leads to its first page.

        Raises NotFound where there is no such file, or no site at all.
        """
        files, name = self._listed_files(), path.strip("/")
        index = f"{name}/index.html".lstrip("/")
        if name not in files and index in files:
            return Redirect(f"/docs/{index}", status_code=302)
        if name not in files:
            raise NotFound("There is no such page in the documentation", hint="It begins at /docs")
        return self._send_file(request, name, files[name])

    def _listed_files(self) -> dict[str, SiteFile]:
        try:
            status = (self._folder / LIST).stat()
            read_at = status.st_mtime_ns, status.st_ino
            if self._list.read_at != read_at:
                found = msgspec.json.decode((self._folder / LIST).read_bytes(), type=dict[str, SiteFile])
                self._list = _SiteList(read_at, found)
        except FileNotFoundError as error:
            raise NotFound(
                "The documentation is not built in this installation",
                hint="Run `make docs` in the checkout that the server is installed from, then load this page again",
            ) from error
        return self._list.files

    def _send_file(self, request: AnyRequest, name: str, file: SiteFile) -> Response[Any]:
        kind, headers = _TYPES.get(name.rpartition(".")[2], "text/plain"), _file_headers(name, file)
        if is_known(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(b"", status_code=304, headers=headers)
        packed = file.packed and accepts_gzip(request.headers.get("accept-encoding", ""))
        if packed:
            headers["Content-Encoding"] = "gzip"
        content = (self._folder / f"{name}{'.gz' if packed else ''}").read_bytes()
        return Response(content, media_type=kind, headers=headers)


def docs_routes() -> list[Router]:
    """The handlers, for the application to mount."""
    site = DocsSite(FOLDER)

    @route(["/", "/{name:path}"], http_method=METHODS, cache_control=None)
    async def send_docs(request: AnyRequest) -> Response[Any]:
        return await in_thread(site.answer, request, request.path_params.get("name", ""))

    return [Router("/docs", route_handlers=[send_docs])]


def _file_headers(name: str, file: SiteFile) -> dict[str, str]:
    """Browsers keep what has its hash in its name, and ask for all else again each time."""
    kept = "public, max-age=31536000, immutable" if _HASHED.search(name) else "no-cache"
    return {
        "Content-Security-Policy": _POLICY.format(scripts=_quoted(file.scripts), styles=_quoted(file.styles)),
        "Referrer-Policy": "same-origin",
        "Cache-Control": kept,
        "ETag": f'W/"{file.tag}"',  # weak: the same for the file and its packed copy
        "Vary": "Accept-Encoding",
    }


def _quoted(hashes: list[str]) -> str:
    return "".join(f" '{each}'" for each in hashes)
