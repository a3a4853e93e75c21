"""`/api/v1/account-exports`: everything of an account, as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import msgspec
from litestar import Response

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, OperationReply, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.erasure.account_export import AccountExport, AccountExportState, AccountFile
from airtally.exports.export import Export
from airtally.files.serve import ServedFile, send
from airtally.kit.errors import Conflict, NotFound
from airtally.services import Services

_PARQUET, _LINES = "application/vnd.apache.parquet", "application/x-ndjson"


class AccountFileAnswer(msgspec.Struct, frozen=True):
    """`url` needs no key and expires; null once the file is not kept.

    Files that are not of a stream have none: they are fetched by `GET …/files/{name}`. All are fetched by
    `GET …/files/by-number/{number}`, from 1.
    """

    name: str
    rows: int
    bytes: int
    sha256: str
    url: str | None


class AccountExportAnswer(msgspec.Struct, frozen=True):
    """`state`: waiting, ready or failed. `files` are there once it is ready, until `expires_at`; not in listings."""

    id: int
    state: str
    requested_by: str
    data_through: str | None
    error: str | None
    created_at: str
    ended_at: str | None
    expires_at: str | None
    files: list[AccountFileAnswer] | None = None


class AccountExportResource:
    def __init__(self, services: Services) -> None:
        self._account_exports = services.privacy.account_exports
        self._exports = services.exports
        self._files = services.files
        self._clock = services.clock

    @operation(
        *("POST", "/account-exports", Permission.ADMIN, "Export the whole account"),
        status=202,
        answer=AccountExportAnswer,
        failures=(Conflict,),
        headers={"Location": "Where its progress is"},
        of_closed=True,
    )
    def create_account_export(self, call: OperationCall[NoFields, NoFields]) -> OperationReply:
        """All rows of all streams as Parquet, with the account's metadata and refused rows as lines of JSON."""
        made = self._account_exports.create(call.account)
        return OperationReply(_account_export(made), headers={"Location": f"/api/v1/account-exports/{made.id}"})

    @operation("GET", "/account-exports", Permission.ADMIN, "List exports of the whole account", of_closed=True)
    def list_account_exports(self, call: OperationCall[PageQuery, None]) -> ListingPage[AccountExportAnswer]:
        """Newest first."""
        found = self._account_exports.page(call.account, after=call.query.position, limit=call.query.limit + 1)
        return page_of(found, call.query.limit, _account_export, lambda each: each.id)

    @operation(
        *("GET", "/account-exports/{account_export_id}", Permission.ADMIN, "Get an export of the whole account"),
        failures=(NotFound,),
        of_closed=True,
    )
    def get_account_export(self, call: PlainCall) -> AccountExportAnswer:
        """With links to its files."""
        found = self._account_exports.get(call.account, call.number("account_export_id"))
        of_streams = self._of_streams(call.account, found)
        files = [
            AccountFileAnswer(each.name, each.rows, each.bytes, each.sha256, self._url(each, of_streams))
            for each in found.files
        ]
        return _account_export(found, files if found.state is AccountExportState.READY else None)

    @operation(
        *("GET", "/account-exports/{account_export_id}/files/{name}", Permission.ADMIN, "Fetch a file of metadata"),
        failures=(NotFound,),
        media_types=(_LINES,),
        answer=bytes,
        raw=True,
        of_closed=True,
    )
    def fetch_account_file(self, call: OperationCall[NoFields, bytes]) -> Response[Any]:
        """`metadata.ndjson` or `quarantine.ndjson`."""
        found = self._account_exports.get(call.account, call.number("account_export_id"))
        for file in found.files:
            if file.name == call.text("name") and file.export_id is None:
                served = ServedFile(file.stored, file.name, file.bytes, file.sha256, _LINES)
                return send(call.request, self._files, served, {"Content-Type": _LINES})
        raise NotFound(f"There is no file {call.text('name')[:64]!r}")

    @operation(
        *("GET", "/account-exports/{account_export_id}/files/by-number/{number}", Permission.ADMIN, "Fetch a file"),
        failures=(NotFound,),
        media_types=(_PARQUET, _LINES),
        answer=bytes,
        raw=True,
        of_closed=True,
    )
    def fetch_numbered_account_file(self, call: OperationCall[NoFields, bytes]) -> Response[Any]:
        """Any of the files, by its position among them from 1. Unlike links, it is there for a closed account too."""
        found, number = self._account_exports.get(call.account, call.number("account_export_id")), call.number("number")
        if number > len(found.files):
            raise NotFound(f"There is no file {number}")
        file = found.files[number - 1]
        media_type = _LINES if file.export_id is None else _PARQUET
        served = ServedFile(file.stored, PurePosixPath(file.name).name, file.bytes, file.sha256, media_type)
        return send(call.request, self._files, served)

    def _of_streams(self, account: Account, found: AccountExport) -> dict[int, Export]:
        """The exports of its streams by their ids: those that are still listed."""
        ids = {each.export_id for each in found.files if each.export_id is not None}
        return self._exports.exports.by_ids(account, ids)

    def _url(self, file: AccountFile, of_streams: Mapping[int, Export]) -> str | None:
        if file.export_id is None or file.number is None:
            return None
        export = of_streams.get(file.export_id)
        if export is None or not export.has_files:
            return None
        return self._exports.links.link(export, file.number, self._clock.now_us()).url


def _account_export(export: AccountExport, files: list[AccountFileAnswer] | None = None) -> AccountExportAnswer:
    return AccountExportAnswer(
        id=export.id,
        state=export.state,
        requested_by=export.requested_by,
        data_through=shown_moment(export.data_through),
        error=export.error,
        created_at=shown_moment(export.created_at),
        ended_at=shown_moment(export.ended_at),
        expires_at=shown_moment(export.expires_at),
        files=files,
    )
