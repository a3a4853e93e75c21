"""`GET /files/{file_id}?…`: a dataset file, for whoever has its link. Errors are the file store's XML.

docs/vendors/slate.md#6.
"""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape

from litestar import Request, Response, route
from litestar.params import FromPath

from airtally.files.serve import send
from airtally.kit.errors import Failure
from airtally.kit.http import METHODS
from airtally.kit.quality import quality_headers
from airtally.services import Services
from airtally.vendors.slate.services import slate_services

_CODES = {403: "AccessDenied", 404: "NoSuchKey", 503: "ServiceUnavailable"}
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>'


def routes(services: Services) -> list[Any]:
    links = slate_services(services).links

    @route("/files/{file_id:str}", http_method=METHODS, sync_to_thread=True, exception_handlers={Failure: failed})
    def download(request: Request[Any, Any, Any], file_id: FromPath[str]) -> Response[Any]:
        query, now = request.query_params, services.clock.now_us()
        file, served = services.datasets.files.find(
            file_id, lambda dataset_row_id: links.is_valid(dataset_row_id, file_id, query, now)
        )
        headers = quality_headers(data_through_us=None, generated_at_us=file.published_at, timezone="UTC")
        headers |= {"Airtally-Rows": str(file.rows)}
        headers |= {"Content-Type": served.media_type}  # the framework would add a charset to a text
        return send(request, services.files, served, headers)

    return [download]


def failed(_: Request[Any, Any, Any], failure: Failure) -> Response[bytes]:
    status = 503 if failure.status == 507 else failure.status
    body = _XML.format(_CODES.get(status, "InternalError"), escape(_message(failure)))
    headers = {} if failure.retry_after is None else {"Retry-After": str(failure.retry_after)}
    return Response(body.encode(), status_code=status, headers=headers, media_type="application/xml")


def _message(failure: Failure) -> str:
    """What the store's files are called inside is nobody's business."""
    return "The specified key does not exist." if failure.status == 404 else failure.message
