"""`GET /files/tags/{32 hex}.csv`: the file of a tag's statistics, for whoever has its link.

docs/vendors/pushwoosh.md#6.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Request, Response, route
from litestar.params import FromPath

from airtally.files.serve import ServedFile, send
from airtally.kit import attempts
from airtally.kit.errors import NotFound
from airtally.kit.http import METHODS
from airtally.kit.quality import quality_headers
from airtally.services import Services
from airtally.statistics.service import storage_name
from airtally.statistics.tags import WrittenFile

PATH = "/files/tags"
MEDIA_TYPE = "text/csv"  # the framework adds the charset to any text
_NAME = re.compile(r"[0-9a-f]{32}\.csv")


def routes(services: Services) -> list[Any]:
    @route(f"{PATH}/{{name:str}}", http_method=METHODS, sync_to_thread=True)
    def download(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[Any]:
        """The link is the only permission."""
        found = services.statistics.by_file(name) if _NAME.fullmatch(name) else None
        attempts.note(right=found is not None)
        if found is None:
            raise NotFound("There is no such file, or it is no longer kept")
        written = msgspec.json.decode(found.result or b"", type=WrittenFile)
        file = ServedFile(storage_name(name), name, written.bytes, written.sha256, MEDIA_TYPE)
        quality = quality_headers(data_through_us=found.data_through, generated_at_us=found.ended_at, timezone="UTC")
        return send(request, services.files, file, {"Airtally-Rows": str(written.rows), **quality})

    return [download]


def url(public_url: str, file_name: str) -> str:
    return f"{public_url.rstrip('/')}{PATH}/{file_name}"
