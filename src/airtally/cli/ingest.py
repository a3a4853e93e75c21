"""`airtally ingest`: rows from files."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from airtally.cli.common import AccountSlug, Json, command
from airtally.cli.output import print_json
from airtally.cli.remote import is_remote
from airtally.cli.sent_files import send_file
from airtally.cli.server import server
from airtally.cli.services import opened_services
from airtally.ingest.files import FileResult
from airtally.kit.errors import NotFound
from airtally.streams import STREAMS

#: Rows are many short-lived objects without cycles: looking for cycles among them costs a tenth of the time.
_RARE_COLLECTIONS = (100_000, 50, 1_000)


@command
def ingest(
    stream: Annotated[str, Parameter(help="Name of the stream, such as playlogs.")],
    *files: Annotated[Path, Parameter(help="NDJSON, JSON, CSV, Parquet or Arrow files, also .gz and .zst.")],
    account: AccountSlug,
    again: Annotated[bool, Parameter(help="Load files again that were loaded before, as new rows.")] = False,
    as_json: Json = False,
) -> None:
    """Load rows from files. A run that was stopped continues where it ended when it is started again.

    Ends with status 1 where rows were refused; the others are loaded.
    """
    if stream not in STREAMS:
        raise NotFound(f"There is no stream {stream!r}", hint="The streams are: " + ", ".join(STREAMS))
    gc.set_threshold(*_RARE_COLLECTIONS)
    if is_remote():
        with server(account) as api:
            results = _each_with_progress(files, partial(send_file, api, stream, again=again))
    else:
        with opened_services() as services:
            owner = services.access.accounts.by_slug(account)
            load = partial(services.intake.files.load, STREAMS[stream], owner, again=again)
            results = _each_with_progress(files, load)
    if as_json:
        print_json([_result_as_json(result) for result in results])
    rejected = sum(result.rejected for result in results)
    if rejected:
        print(f"airtally: {_refused(results, rejected)}", file=sys.stderr)
        raise SystemExit(1)


def _refused(results: list[FileResult], rejected: int) -> str:
    """One line for a person: how many rows were refused, and where they are."""
    files = sum(1 for result in results if result.rejected)
    said = f"{rejected:,} row{'s' * (rejected > 1)} of {files} file{'s' * (files > 1)} refused"
    kept = sum(result.quarantined for result in results)
    if kept == rejected:
        return f"{said}; `airtally quarantine list` shows them"
    full = f"{rejected - kept:,} of them are not kept, as the account's quarantine is full (AIRTALLY_QUARANTINE_MAX)"
    return f"{said}, {full}; `airtally quarantine list` shows the others"


def _each_with_progress(files: tuple[Path, ...], load: Callable[..., FileResult]) -> list[FileResult]:
    results = []
    with _progress() as bar:
        for path in files:
            task = bar.add_task(path.name, total=None, rows="")

            def show(result: FileResult, task: TaskID = task) -> None:
                bar.update(task, completed=result.position, total=result.size, rows=_counts_in_words(result))

            result = load(path, progress=show)
            bar.update(task, completed=1, total=1, rows=_counts_in_words(result))
            results.append(result)
    return results


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def _counts_in_words(result: FileResult) -> str:
    if result.resumed_at and not result.accepted and not result.rejected:
        return "already loaded"
    rejected = f", {result.rejected:,} rejected" if result.rejected else ""
    return f"{result.accepted:,} rows{rejected}"


def _result_as_json(result: FileResult) -> dict[str, object]:
    return {
        "file": str(result.path),
        "accepted": result.accepted,
        "rejected": result.rejected,
        "quarantined": result.quarantined == result.rejected,
        "resumed_at": result.resumed_at,
        "position": result.position,
    }
