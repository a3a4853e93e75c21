"""`python -m airtally.database.draft 0002 "What changes"` drafts a revision from the tables in `tables/`.

Read and correct the draft by hand, then set `migrate.HEAD` to its number.
"""

from __future__ import annotations

import sys
import tempfile

from sqlalchemy import create_engine

from airtally.database import migrate


def main(revision: str, message: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/draft.sqlite")
        with engine.begin() as connection:
            migrate.draft(connection, revision, message)
        engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
