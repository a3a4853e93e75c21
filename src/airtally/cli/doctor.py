"""`airtally doctor`: checks the set-up and says what to fix."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from zoneinfo import ZoneInfo

import pyarrow as pa
from sqlglot import exp

from airtally import __version__
from airtally.accounts.keys import Keys
from airtally.accounts.kinds import LEAST_CHARACTERS
from airtally.accounts.secrets import FILE_NAME, Secrets
from airtally.cli.common import Json, command, settings_from_environment
from airtally.cli.listening import Listened
from airtally.cli.output import moment, print_listing
from airtally.cli.spellings import split_ids
from airtally.database import home
from airtally.database.clock import shared_clock
from airtally.database.store import MetadataStore
from airtally.engine import open_engine
from airtally.engine.duckdb import DuckDB
from airtally.files.store import FileStore
from airtally.ingest.quarantine import Quarantine
from airtally.jobs.queue import Jobs
from airtally.kit import logs, private
from airtally.kit.clock import SystemClock
from airtally.kit.errors import Failure
from airtally.rollups.rollups import tables_of
from airtally.settings import Settings
from airtally.sql.statement import Statement
from airtally.storage.buffer import damage
from airtally.storage.lake import Lake
from airtally.storage.lake.health import LakeHealth
from airtally.storage.lake.status import MANY_LOG_FILES
from airtally.storage.writers import Writers

_LOW_DISK = 2 << 30
_MOST_IDS = 20
_MOST_PATHS = 10
#: Of the room for an account's refused rows: what is over this is nearly full.
_NEARLY = 0.95


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `mend` says what to do; None where all is well."""

    about: str
    found: str
    mend: str | None = None

    @property
    def row(self) -> dict[str, object]:
        return {
            "state": "ok" if self.mend is None else "mend",
            "about": self.about,
            "found": self.found,
            "mend": self.mend,
        }


@command
def doctor(*, as_json: Json = False) -> None:
    """Check settings, disk, database, lake, engine and files; ends with status 1 if something has to be fixed."""
    logs.configure("critical")  # what goes wrong is what is printed
    findings = list(examine(settings_from_environment()))
    print_listing([finding.row for finding in findings], ("state", "about", "found", "mend"), as_json=as_json)
    if any(finding.mend for finding in findings):
        raise SystemExit(1)


def examine(settings: Settings) -> Iterator[Finding]:
    private.keep_private(shared=settings.shares_folders)
    for about, look in _LOOKS.items():
        try:
            yield look(settings)
        except Exception as error:  # noqa: BLE001 (whatever is wrong is what was asked for)
            hint = error.hint if isinstance(error, Failure) and error.hint else "see what was found"
            yield Finding(about, str(error), hint)


def _home(settings: Settings) -> Finding:
    home = settings.home.absolute()
    if not private.is_in_use(home):
        private.enclose(home, shared=settings.shares_folders)
    free = shutil.disk_usage(home).free
    mends = ["free disk space: below 2 GiB"] if free < _LOW_DISK else []
    found = [f"{home}, {free / (1 << 30):.1f} GiB free"]
    exposed = private.open_to_others(home, shared=settings.shares_folders)
    if named := list(islice((path for path in exposed if path.name != FILE_NAME), _MOST_PATHS + 1)):
        more = ", …" if len(named) > _MOST_PATHS else ""
        found.append(f"open to others than its owner: {', '.join(map(str, named[:_MOST_PATHS]))}{more}")
        mends.append(f"chmod -R go= {shlex.quote(str(home))}")
    return Finding("home", "; ".join(found), "; ".join(mends) or None)


def _secret(settings: Settings) -> Finding:
    Secrets.open(settings.home, settings.secret_key)
    if settings.secret_key:
        return Finding("secret key", "from AIRTALLY_SECRET_KEY")
    path = settings.home / FILE_NAME
    readable = path.stat().st_mode & 0o077
    return Finding("secret key", str(path), f"others can read it: chmod 600 {path}" if readable else None)


def _keys(settings: Settings) -> Finding:
    try:
        secrets = Secrets.open(settings.home, settings.secret_key)
        store = MetadataStore.open(settings.database_url)
    except Exception:  # noqa: BLE001 (whatever it is, the look at the secret key or the metadata has told it)
        return Finding("keys", "not looked at, as the secret key or the metadata store cannot be read")
    keys = Keys(store, secrets, SystemClock())
    try:
        found = keys.short()
    finally:
        keys.close()
        store.close()
    short = [f"key {each.id} ({each.kind}, {each.account})" for each in found if each.length is not None]
    unknown = [f"{each.id} ({each.kind}, {each.account})" for each in found if each.length is None]
    if 0 < len(settings.operations_token) < LEAST_CHARACTERS:
        short.append("AIRTALLY_OPERATIONS_TOKEN")
    told = [f"secrets under {LEAST_CHARACTERS} characters: {_first(short)}"] if short else []
    told += [f"of an earlier release, so of unknown length: {_first(unknown)}"] if unknown else []
    mend = "make others (`airtally key create`), then `airtally key revoke ID`" if short else None
    return Finding("keys", "; ".join(told) or f"all secrets have {LEAST_CHARACTERS} characters or more", mend)


def _first(names: list[str]) -> str:
    return ", ".join(names[:_MOST_IDS]) + (f" and {len(names) - _MOST_IDS} more" if len(names) > _MOST_IDS else "")


def _metadata(settings: Settings) -> Finding:
    store = MetadataStore.open(settings.database_url)
    try:
        counts = Jobs(store, SystemClock(), "doctor").counts()
        programs = home.programs(store)
    finally:
        store.close()
    failed = sum(count for (_, state), count in counts.items() if state == "failed")
    made = f"made by Airtally {programs.made_by}, opened by {programs.opened_by}, this is {__version__}"
    found = f"{store.dialect}, {made}; {sum(counts.values())} jobs, {failed} failed"
    return Finding("metadata", found)


def _public_url(settings: Settings) -> Finding:
    if settings.public_url:
        return Finding("public URL", settings.public_url)
    last = Listened.last(settings.home)
    if last is not None and not last.local:
        return Finding("public URL", f"not set, and last served at {last.url}", last.warning)
    return Finding(
        "public URL",
        "not set: links begin with the address that `serve` listens on, and will not work from other machines "
        "until AIRTALLY_PUBLIC_URL is what they use",
    )


def _writers(settings: Settings) -> Finding:
    try:
        store = MetadataStore.open(settings.database_url)
    except Exception:  # noqa: BLE001 (whatever it is, the look at the metadata has told it)
        return Finding("writers", "not looked at, as the metadata store cannot be read")
    try:
        found = Writers(store, shared_clock(store, SystemClock()), None, lambda: None).all()
    finally:
        store.close()
    away = [each for each in found if not each.lives and not (settings.home / "buffer" / f"{each.id}.sqlite").exists()]
    if not away or store.dialect == "sqlite":
        return Finding("writers", f"{sum(each.lives for each in found)} live")
    named = ", ".join(f"{each.id} of {each.host}, silent since {moment(each.seen_at)}" for each in away)
    mend = (
        "start its machine again; if it is lost for good, `airtally lake give-up ID`: answers are complete only to then"
    )
    return Finding("writers", f"rows are missing of {named}", mend)


def _quarantine(settings: Settings) -> Finding:
    try:
        store = MetadataStore.open(settings.database_url)
    except Exception:  # noqa: BLE001 (whatever it is, the look at the metadata has told it)
        return Finding("quarantine", "not looked at, as the metadata store cannot be read")
    most = settings.quarantine_max
    try:
        usage = Quarantine(store, SystemClock(), max_bytes=most, days=settings.quarantine_days).usage()
    finally:
        store.close()
    named = "; ".join(f"{each.account}: {each.rows} rows, {each.bytes / 2**20:.1f} MiB" for each in usage[:_MOST_IDS])
    full = [each.account for each in usage if each.bytes >= most * _NEARLY]
    mend = (
        f"little or no room for refused rows of {', '.join(full)}: `airtally quarantine resend` or `drop` entries, "
        "or raise AIRTALLY_QUARANTINE_MAX"
    )
    return Finding("quarantine", named or "no refused rows", mend if full else None)


def _lake(settings: Settings) -> Finding:
    """Every log, and every data file of the newest versions."""
    lake = Lake(settings.lake_url, clock=SystemClock())
    lake.check_folder()
    problems = LakeHealth(lambda: [*lake.tables(), *tables_of(lake)]).problems(thorough=True)
    if problems:
        return Finding("lake", "; ".join(problems), "see what was found; docs/guides/operate.md, A damaged lake")
    tables = lake.existing()
    long = [table.stream.name for table in tables if len(table.storage.log_listing()) > MANY_LOG_FILES]
    mend = f"long logs ({', '.join(long)}): is a `serve` or `worker` running?" if long else None
    return Finding("lake", f"{settings.lake_url}, {len(tables)} tables", mend)


def _buffer(settings: Settings) -> Finding:
    folder = settings.home / "buffer"
    found = damage.kept(folder)
    if not found:
        return Finding("buffer", str(folder.absolute()))
    return Finding("buffer", "; ".join(map(str, found)), "; ".join(each.mend for each in found))


def _engine(settings: Settings) -> Finding:
    if settings.engine != "duckdb" and importlib.util.find_spec("pyspark") is None:
        return Finding("engine", settings.engine, "install the Spark client: pip install 'airtally[spark]'")
    engine = open_engine(settings.engine, settings.engine_memory, settings.query_seconds, settings.home / "tmp")
    try:
        engine.query(Statement(exp.select(exp.alias_(exp.Literal.number(1), "one")), {}))
    finally:
        engine.close()
    return Finding("engine", settings.engine)


def _ids(settings: Settings) -> Finding:
    """Nothing is to be mended: which of the spellings is meant only their senders know."""
    lake = Lake(settings.lake_url, clock=SystemClock())
    try:
        lake.check()
    except Exception:  # noqa: BLE001 (whatever it is, the look at the lake has told it)
        return Finding("ids", "not looked at, as the lake cannot be read")
    engine = DuckDB(memory=settings.engine_memory, seconds=None, temp_folder=settings.home / "tmp")
    try:
        split = split_ids(lake, engine)
    finally:
        engine.close()
    if not split:
        return Finding("ids", "matched without regard to the case of A to Z")
    named = "; ".join(map(str, split[:_MOST_IDS])) + ("; …" if len(split) > _MOST_IDS else "")
    return Finding("ids", f"{len(split)} that earlier releases took for one are told apart by their spelling: {named}")


def _files(settings: Settings) -> Finding:
    store = FileStore.open(settings.files_url)
    store.write("doctor.tmp", [b"ok"])
    store.delete("doctor.tmp")
    return Finding("files", settings.files_url)


def _zones(_: Settings) -> Finding:
    ZoneInfo("Asia/Kathmandu")
    return Finding("time zones", f"known; Arrow {pa.__version__}")


_LOOKS: dict[str, Callable[[Settings], Finding]] = {
    "home": _home,
    "secret key": _secret,
    "metadata": _metadata,
    "keys": _keys,
    "quarantine": _quarantine,
    "writers": _writers,
    "public URL": _public_url,
    "buffer": _buffer,
    "lake": _lake,
    "engine": _engine,
    "ids": _ids,
    "files": _files,
    "time zones": _zones,
}
