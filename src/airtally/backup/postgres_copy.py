"""The metadata on PostgreSQL as of one moment, dumped by PostgreSQL's own program."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.engine import URL

from airtally.backup.copying import DRAFT, hashed
from airtally.backup.manifest import BackedUpFile
from airtally.kit.durable import publish_file
from airtally.kit.errors import BadRequest, Unavailable

PLACE = "metadata.pgdump"


@contextmanager
def pinned_database(url: str, buffers: Callable[[], None]) -> Iterator[str]:
    """Fix a moment in which no `Idempotency-Key` is claimed or answered, and have `buffers` fix theirs in it.

    The name of the moment's snapshot, which is there until the end of the block.
    """
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    repeatable = engine.execution_options(isolation_level="REPEATABLE READ")
    try:
        with repeatable.connect() as keeping:
            with engine.begin() as locking:
                locking.execute(text("LOCK TABLE claims IN EXCLUSIVE MODE"))
                buffers()
                snapshot = str(keeping.execute(text("SELECT pg_export_snapshot()")).scalar_one())
            yield snapshot
    finally:
        engine.dispose()


def dump(url: str, snapshot: str, target: Path) -> BackedUpFile:
    """Raises BadRequest without `pg_dump`, and Unavailable with what it said."""
    program = shutil.which("pg_dump")
    if program is None:
        raise BadRequest(
            "The metadata is on PostgreSQL, and pg_dump is not installed",
            hint="Install PostgreSQL's client programs (Debian: apt-get install postgresql-client)",
        )
    draft = target / (PLACE + DRAFT)
    address, secret = _without_password(make_url(url))
    ended = subprocess.run(  # noqa: S603 (its arguments are ours)
        [program, "--format=custom", f"--snapshot={snapshot}", f"--file={draft}", f"--dbname={address}"],
        env=os.environ | secret,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        draft.unlink(missing_ok=True)
        raise Unavailable(
            f"pg_dump failed: {ended.stderr.strip()[-500:]}", hint="Its version must be the server's or newer"
        )
    publish_file(draft, target / PLACE)
    return BackedUpFile(PLACE, *hashed(target / PLACE))


def _without_password(url: URL) -> tuple[str, dict[str, str]]:
    """The address for a command line, which every user of the machine can read, and the password for its environment."""
    query = dict(url.query)
    secret = query.pop("password", url.password)
    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    return bare.render_as_string(hide_password=False), {} if secret is None else {"PGPASSWORD": str(secret)}
