"""`airtally backup` and `airtally restore`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from airtally.backup.copying import Copier
from airtally.backup.make import HomeBackup
from airtally.backup.manifest import Manifest
from airtally.backup.postgres_copy import PLACE as DUMP
from airtally.backup.restore import HomeRestore
from airtally.cli.common import Json, command
from airtally.cli.output import print_made
from airtally.cli.remote import refuse_remote
from airtally.kit import logs
from airtally.kit.clock import SystemClock
from airtally.settings import Settings

_TELL_SECONDS = 1.0


@command
def backup(
    target: Annotated[Path, Parameter(help="A folder that is not there yet, outside of the home.")],
    *,
    without_secret_key: Annotated[
        bool, Parameter(help="Leave out secret.key, of which you keep a copy elsewhere.", negative=())
    ] = False,
    as_json: Json = False,
) -> None:
    """Copy the home to a new folder, also while its server takes rows; every row acknowledged before is in it.

    Run it again after an interruption: it goes on where it stopped. Run it as the server's user.
    """
    made = HomeBackup(
        _local_settings(), target, SystemClock(), secret_key=not without_secret_key, copier=_telling_copier()
    ).run()
    _print_warnings(made.elsewhere)
    print_made(_backup_shown(target, made), as_json=as_json)


@command
def restore(
    source: Annotated[Path, Parameter(help="The folder of a backup.")],
    *,
    check: Annotated[bool, Parameter(help="Only read the backup and compare every file.", negative=())] = False,
    as_json: Json = False,
) -> None:
    """Make a new home of a backup, each file compared with what was written. Start no server on that home before.

    Run it again after an interruption: it goes on where it stopped. Run it as the server's user.
    """
    asked = HomeRestore(source, _local_settings(), _telling_copier())
    made = asked.check() if check else asked.run()
    if not check:
        _print_warnings(made.elsewhere)
        _warn_of_dump(source)
    print_made(_backup_shown(source, made), as_json=as_json)


def _local_settings() -> Settings:
    """A backup is for its owner only, wherever it lies. Raises BadRequest where another server is named."""
    refuse_remote()
    logs.configure("warning")
    os.umask(0o077)
    return Settings.from_env()


def _telling_copier() -> Copier:
    """Tells a person who looks on how far it is."""
    if not sys.stderr.isatty():
        return Copier()
    done, told_at = 0, time.monotonic()

    def tell(size: int) -> None:
        nonlocal done, told_at
        done += size
        if time.monotonic() >= told_at + _TELL_SECONDS:
            told_at = time.monotonic()
            print(f"\r{done / (1 << 30):.1f} GiB copied", end="", file=sys.stderr, flush=True)

    return Copier(told=tell)


def _backup_shown(place: Path, made: Manifest) -> dict[str, Any]:
    return {
        "backup": str(place),
        "made_at": made.made_at,
        "program": made.program,
        "files": made.files,
        "bytes": made.size,
    }


def _print_warnings(words: list[str]) -> None:
    for each in words:
        print(f"airtally: {each}", file=sys.stderr)


def _warn_of_dump(source: Path) -> None:
    dump = source / DUMP
    if dump.exists():
        _print_warnings(
            [f"the metadata is not restored yet: pg_restore --dbname=AIRTALLY_DATABASE {dump}, into an empty database"]
        )
