"""Checks of what the metadata store holds: jobs, keys, refused rows, writers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from airtally import __version__
from airtally.accounts.keys import Keys
from airtally.accounts.kinds import LEAST_CHARACTERS
from airtally.database import home
from airtally.database.clock import shared_clock
from airtally.database.store import MetadataStore
from airtally.doctor.finding import MOST_NAMED, Finding, first_named, to_mend, well
from airtally.doctor.premises import Premises
from airtally.ingest.quarantine import Quarantine
from airtally.jobs.queue import Jobs
from airtally.kit.time import iso_seconds
from airtally.storage.writers import Writers

#: Of the room for an account's refused rows: what is over this is nearly full.
_NEARLY = 0.95


def check_metadata(premises: Premises) -> Finding:
    with premises.store() as store:
        counts = Jobs(store, premises.clock, "doctor").counts()
        programs = home.programs(store)
        dialect = store.dialect
    failed = sum(count for (_, state), count in counts.items() if state == "failed")
    made = f"made by Airtally {programs.made_by}, opened by {programs.opened_by}, this is {__version__}"
    return well("metadata", f"{dialect}, {made}; {sum(counts.values())} jobs, {failed} failed")


def check_keys(premises: Premises) -> Finding:
    """Secrets that are too short to withstand guessing."""
    with ExitStack() as opened:
        try:
            keys: Keys = opened.enter_context(premises.keys())
        except Exception:  # noqa: BLE001 (whatever it is, the look at the secret key or the metadata has told it)
            return well("keys", "not looked at, as the secret key or the metadata store cannot be read")
        found = keys.short()
    short = [f"key {each.id} ({each.kind}, {each.account})" for each in found if each.length is not None]
    unknown = [f"{each.id} ({each.kind}, {each.account})" for each in found if each.length is None]
    if 0 < len(premises.settings.operations_token) < LEAST_CHARACTERS:
        short.append("AIRTALLY_OPERATIONS_TOKEN")
    told = [f"secrets under {LEAST_CHARACTERS} characters: {first_named(short)}"] if short else []
    told += [f"of an earlier release, so of unknown length: {first_named(unknown)}"] if unknown else []
    mend = "make others (`airtally key create`), then `airtally key revoke ID`" if short else None
    return to_mend("keys", "; ".join(told) or f"all secrets have {LEAST_CHARACTERS} characters or more", mend)


def check_quarantine(premises: Premises) -> Finding:
    """Room for refused rows, by account."""
    settings = premises.settings
    most = settings.quarantine_max
    with _readable_store(premises) as store:
        if store is None:
            return well("quarantine", "not looked at, as the metadata store cannot be read")
        usage = Quarantine(store, premises.clock, max_bytes=most, days=settings.quarantine_days).usage()
    named = "; ".join(f"{each.account}: {each.rows} rows, {each.bytes / 2**20:.1f} MiB" for each in usage[:MOST_NAMED])
    full = [each.account for each in usage if each.bytes >= most * _NEARLY]
    mend = (
        f"little or no room for refused rows of {', '.join(full)}: `airtally quarantine resend` or `drop` entries, "
        "or raise AIRTALLY_QUARANTINE_MAX"
    )
    return to_mend("quarantine", named or "no refused rows", mend if full else None)


def check_writers(premises: Premises) -> Finding:
    """Writers of other machines that are silent, so that rows of theirs are missing."""
    with _readable_store(premises) as store:
        if store is None:
            return well("writers", "not looked at, as the metadata store cannot be read")
        found = Writers(store, shared_clock(store, premises.clock), None, lambda: None).all()
        alone = store.dialect == "sqlite"
    buffers = premises.settings.home / "buffer"
    away = [each for each in found if not each.lives and not (buffers / f"{each.id}.sqlite").exists()]
    if not away or alone:
        return well("writers", f"{sum(each.lives for each in found)} live")
    named = ", ".join(f"{each.id} of {each.host}, silent since {iso_seconds(each.seen_at)}" for each in away)
    mend = (
        "start its machine again; if it is lost for good, `airtally lake give-up ID`: answers are complete only to then"
    )
    return to_mend("writers", f"rows are missing of {named}", mend)


@contextmanager
def _readable_store(premises: Premises) -> Iterator[MetadataStore | None]:
    """None if it cannot be opened: the look at the metadata has told why."""
    with ExitStack() as opened:
        try:
            store: MetadataStore | None = opened.enter_context(premises.store())
        except Exception:  # noqa: BLE001 (whatever it is)
            store = None
        yield store
