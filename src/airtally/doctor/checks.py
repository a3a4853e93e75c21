"""Every check by what it is about, in order, and the run of all of them one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from airtally.doctor.finding import Finding, broken
from airtally.doctor.machine import check_buffer, check_home, check_public_url, check_secret_key, check_time_zones
from airtally.doctor.metadata import check_keys, check_metadata, check_quarantine, check_writers
from airtally.doctor.premises import Premises
from airtally.doctor.stores import check_engine, check_files, check_ids, check_lake
from airtally.kit import private
from airtally.kit.errors import Failure

Check = Callable[[Premises], Finding]

CHECKS: Mapping[str, Check] = {
    "home": check_home,
    "secret key": check_secret_key,
    "metadata": check_metadata,
    "keys": check_keys,
    "quarantine": check_quarantine,
    "writers": check_writers,
    "public URL": check_public_url,
    "buffer": check_buffer,
    "lake": check_lake,
    "engine": check_engine,
    "ids": check_ids,
    "files": check_files,
    "time zones": check_time_zones,
}

#: Those that a server that runs is asked for: without the one that reads all rows of earlier releases.
SERVER_CHECKS: Mapping[str, Check] = {name: check for name, check in CHECKS.items() if name != "ids"}


def examined(about: str, check: Check, premises: Premises) -> Finding:
    """What a check found; whatever it raises is found too."""
    try:
        return check(premises)
    except Exception as error:  # noqa: BLE001 (whatever is wrong is what was asked for)
        hint = error.hint if isinstance(error, Failure) and error.hint else "see what was found"
        return broken(about, str(error) or type(error).__name__, hint)


def examine(premises: Premises) -> Iterator[Finding]:
    """All checks, one after the other, however long they take."""
    private.keep_private(shared=premises.settings.shares_folders)
    for about, check in CHECKS.items():
        yield examined(about, check, premises)
