"""What `airtally account export` does: has the files made, beside a running server or without one, and fetches them."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.background import export_work
from airtally.erasure.account_export import AccountExport, AccountExportState, AccountFile
from airtally.files.store import FileStore
from airtally.kit.errors import BadRequest, Unavailable
from airtally.services import Background, Services

FILE_COLUMNS = ("file", "rows", "bytes", "sha256")
_LOOK_SECONDS = 0.5


def check_empty(folder: Path) -> None:
    """Make the folder. Raises BadRequest where there is something in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise BadRequest(f"{folder} is not empty")


def until_exported(services: Services, account: Account, wait: float) -> AccountExport:
    """Make an export of the account. Raises Unavailable where it fails or takes longer than `wait` seconds."""
    services.jobs.release_gone(services.process.is_gone)
    made = services.privacy.account_exports.create(account)
    workers: list[Background] = [*export_work(services), services.privacy.account_export_worker()]
    for each in workers:
        each.start()
    try:
        deadline = time.monotonic() + wait
        while made.state is AccountExportState.WAITING and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            made = services.privacy.account_exports.get(account, made.id)
    finally:
        for each in workers:
            each.stop()
    if made.state is not AccountExportState.READY:
        raise Unavailable(f"Export {made.id} of the account is {made.state}: {made.error or 'it takes long'}")
    return made


def fetch_files(files: FileStore, made: AccountExport, folder: Path) -> None:
    """Copy the files, each checked by its hash. Raises Unavailable for one that is not as it was made."""
    for each in made.files:
        target = folder / each.name
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with target.open("wb") as file:
            for chunk in files.read(each.stored):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != each.sha256:
            raise Unavailable(f"{each.name} is not as it was made")


def file_row(file: AccountFile, folder: Path) -> dict[str, object]:
    return {"file": str(folder / file.name), "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}
