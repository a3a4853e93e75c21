"""`/api/v1/exports`: exports asked for, listed, deleted, and their parts fetched. docs/reference/exports-api.md."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Response

from airtally.accounts.permissions import Permission
from airtally.accounts.principal import Principal
from airtally.api.exports.answers import ExportAnswer, ExportPartAnswer, export_answer, part_answer
from airtally.api.operation import NoFields, OperationCall, OperationReply, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of, page_that_fits
from airtally.api.reading import read_fields
from airtally.exports.export import COMING, Export, ExportState, media_type
from airtally.exports.service import TooManyExports
from airtally.exports.spec import ExportSpec
from airtally.files.serve import ServedFile, send
from airtally.kit.errors import Forbidden, NotFound, Unauthorized
from airtally.kit.quality import quality_headers
from airtally.services import Services
from airtally.sql.dsl.refusal import StatementRefused

#: Seconds after which a caller who waits is to look again.
_LOOK_AGAIN = "1"
_LOCATION = {"Location": "Where the export is found.", "Retry-After": "Seconds until it is worth a look."}


class ExportsQuery(PageQuery):
    """`state`: only those in one of these states; may be given several times."""

    state: list[ExportState] = msgspec.field(default_factory=list)


class SignedLink(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of a link, as it was given out."""

    expires: str = ""
    signature: str = ""


class ExportResource:
    def __init__(self, services: Services) -> None:
        self._exports = services.exports.exports
        self._links = services.exports.links
        self._files = services.files
        self._clock = services.clock

    @operation(
        *("POST", "/exports", Permission.READ, "Create an export"),
        status=202,
        failures=(NotFound, TooManyExports, StatementRefused),
        answer=ExportAnswer,
        headers=_LOCATION,
        max_body=4 << 20,
        example={"rows": {"stream": "playlogs", "range": "last month"}, "format": "parquet"},
    )
    def create_export(self, call: OperationCall[NoFields, ExportSpec]) -> OperationReply:
        """Rows of a stream, or the answer to a question or a statement of any size, as files in parts."""
        return accepted(self._exports.create(call.account, call.body, requested_by=requested_by(call.principal)))

    @operation("GET", "/exports", Permission.READ, "List exports")
    def list_exports(self, call: OperationCall[ExportsQuery, None]) -> ListingPage[ExportAnswer]:
        """The newest first. Exports are listed until 90 days after their files were deleted.

        A page has fewer than `limit` where what was asked for is long.
        """
        asked, account = call.query, call.account

        def page(after: int | None, limit: int) -> list[Export]:
            return self._exports.page(account, after=after, limit=limit, states=asked.state)

        return page_that_fits(asked, page, export_answer, lambda each: each.id)

    @operation(
        *("GET", "/exports/{export_id}", Permission.READ, "Get an export"),
        failures=(NotFound,),
        answer=ExportAnswer,
    )
    def get_export(self, call: PlainCall) -> OperationReply:
        """Its state and progress; `Retry-After` says when to look again while it is under way."""
        export = self._exports.get(call.account, call.number("export_id"))
        return OperationReply(export_answer(export), headers=_look_again(export))

    @operation(
        "DELETE",
        "/exports/{export_id}",
        Permission.READ,
        "Cancel or delete an export",
        status=204,
        failures=(NotFound,),
    )
    def delete_export(self, call: PlainCall) -> None:
        """One that is under way stops; the files of one that is done are deleted. Again, it is no error.

        Only admins delete what others or schedules asked for.
        """
        export = self._exports.get(call.account, call.number("export_id"))
        if export.requested_by != requested_by(call.principal) and not call.may(Permission.ADMIN):
            raise Forbidden(f"Export {export.id} was asked for by another caller", hint="Only admins delete it")
        self._exports.cancel(call.account, export.id)

    @operation("GET", "/exports/{export_id}/parts", Permission.READ, "List an export's parts", failures=(NotFound,))
    def list_export_parts(self, call: OperationCall[PageQuery, None]) -> ListingPage[ExportPartAnswer]:
        """In their order, with links to the files; none before the export is done, or after its files expired."""
        export = self._exports.get(call.account, call.number("export_id"))
        now = self._clock.now_us()
        found = self._exports.parts(export, after=call.query.position, limit=call.query.limit + 1)
        return page_of(
            found,
            call.query.limit,
            lambda each: part_answer(export, each, self._links, now),
            lambda each: each.number,
        )

    @operation(
        *("GET", "/downloads/exports/{export_id}/{number}", None, "Fetch a part of an export"),
        failures=(Unauthorized, NotFound),
        media_types=(
            *("text/csv", "application/x-ndjson", "application/vnd.apache.parquet"),
            *("application/gzip", "application/zstd"),
        ),
        answer=bytes,
        raw=True,
        query_schema=SignedLink,
    )
    def fetch_export_part(self, call: OperationCall[NoFields, bytes]) -> Response[Any]:
        """The file that a link of the parts' listing leads to. Ranges and `If-None-Match` are honoured."""
        export_id, number = call.number("export_id"), call.number("number")
        link = read_fields(call.request.scope["query_string"], SignedLink)
        if not self._links.is_valid(export_id, number, link.expires, link.signature, self._clock.now_us()):
            raise Unauthorized(
                "The link is not valid, or has expired", hint="Take a new one from the listing of the export's parts"
            )
        export, part = self._exports.part(None, export_id, number)
        kind = media_type(export.spec)
        served = ServedFile(part.stored_name, part.file_name(export.spec), part.bytes, part.sha256, kind)
        headers = quality_headers(
            data_through_us=export.data_through, generated_at_us=export.finished_at or 0, timezone="UTC"
        )
        headers |= {"Airtally-Rows": str(part.rows), "Content-Type": kind}  # the framework would add a charset
        return send(call.request, self._files, served, headers)


def accepted(export: Export) -> OperationReply:
    """202 with where the export is found."""
    headers = {"Location": f"/api/v1/exports/{export.id}"} | _look_again(export)
    return OperationReply(export_answer(export), status=202, headers=headers)


def requested_by(principal: Principal | None) -> str:
    """`key:12` or `user:ana`."""
    return "airtally" if principal is None else f"{principal.actor.kind}:{principal.actor.name}"


def _look_again(export: Export) -> dict[str, str]:
    return {"Retry-After": _LOOK_AGAIN} if export.state in COMING else {}
