"""A million new versions of known records over ten million, against the program of an earlier commit."""

from __future__ import annotations

import re
import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.former import FORMER, run_by_former
from benchmarks.harness import Aim, Place, Result
from benchmarks.machine import cpu_seconds
from benchmarks.server import SLUG, Caller, Home, Server

_BATCH, _FILE_ROWS = 50_000, 250_000
_BEGUN_US, _DAY_US = 1_790_000_000_000_000, 86_400_000_000
_TIME = pa.timestamp("us", "UTC")
_INDEX = re.compile(rb"^airtally_version_index_bytes (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Cost:
    """Processor seconds of the program, its first batch (which fills the index) apart; bytes of the index."""

    first: float
    others: float
    index: float

    @property
    def seconds(self) -> float:
        return self.first + self.others


def new_versions(place: Place) -> Result:
    known, new = place.size(10_000_000, 40_000), place.size(1_000_000, 20_000)
    former = run_by_former(_filled(place, known), place.work)
    picked = np.random.default_rng(1).choice(np.arange(1, known + 1), new, replace=False)
    whole = [_lines(ids, created=True) for ids in _batches(picked)]
    bare = [_lines(ids, created=False) for ids in _batches(picked)]
    before = _sent(place, former, whole)
    ours, ours_bare = (_sent(place, _of_today(former), bodies) for bodies in (whole, bare))
    file = place.data / f"new-versions-{new}.ndjson"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(whole))
    file_before, file_ours = (_ingested(place, home, file) for home in (former, _of_today(former)))
    ratio = before.seconds / ours.seconds
    indexed = known + (new - 1) // _BATCH * _BATCH  # the last batch is not looked for by another
    return Result(
        name="new_versions",
        title="new versions of known players, batches of 50,000 over HTTP to one server; processor time of the server",
        parameters={"known": known, "new": new, "batch": _BATCH},
        figures={
            "rows per CPU second, filling the index included": new / ours.seconds,
            "CPU s of the first batch, which fills the index": ours.first,
            "CPU s of the other batches": ours.others,
            "index, MB": ours.index / 1e6,
            "index, MB per million stored versions, those of their keys included": ours.index / indexed,
            "rows per CPU second without `create_time_utc`": new / ours_bare.seconds,
            "rows per CPU second of `airtally ingest`, its start included": new / file_ours,
        },
        reference={
            f"commit {FORMER}, rows per CPU second": new / before.seconds,
            f"commit {FORMER}, CPU s of the first batch": before.first,
            f"commit {FORMER}, CPU s of the other batches": before.others,
            f"commit {FORMER}, `airtally ingest`, rows per CPU second": new / file_before,
        },
        ratio=ratio,
        aims=[Aim(f"times commit {FORMER}, rows per CPU second", ratio, 5)],
    )


def _of_today(home: Home) -> Home:
    return Home(home.folder, {name: value for name, value in home.settings.items() if name != "PYTHONPATH"}, home.token)


def _filled(place: Place, known: int) -> Home:
    """A home with the known records, made by the earlier program, since that opens no home of a later one."""
    folder = place.kept / f"players-{FORMER}-{known}"
    home = run_by_former(Home.at(folder), place.work)
    token = folder / "token"
    if not token.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        home.run("account", "create", "--name", "Acme", "--slug", SLUG, "--timezone", "UTC")
        made = home.key("native", "--scope", "write")["token"]
        file = folder / "known.parquet"
        pq.write_table(_players(np.arange(1, known + 1), 0), file, row_group_size=_FILE_ROWS)
        home.run("ingest", "players", str(file), "--account", SLUG)
        home.run("lake", "compact", "--stream", "players")
        file.unlink()
        token.write_text(made, encoding="utf-8")
    home.token = token.read_text(encoding="utf-8")
    return home


def _players(ids: npt.NDArray[np.int64], after_us: int) -> pa.Table:
    number = pa.array(ids)
    return pa.table(
        {
            "player_id": number,
            "name": pc.binary_join_element_wise("player", number.cast(pa.string()), " "),
            "group_id": pa.array(ids % 100),
            "create_time_utc": pa.array(np.full(len(ids), _BEGUN_US), _TIME),
            "last_update_time_utc": pa.array(_BEGUN_US + after_us + ids % 5_000 * 1_000_000, _TIME),
        }
    )


def _batches(ids: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


def _lines(ids: npt.NDArray[np.int64], *, created: bool) -> bytes:
    """The day after, as NDJSON."""
    rows = _players(ids, _DAY_US)
    parts = ['{"player_id": ', _text(rows, "player_id"), ', "name": "', rows.column("name")]
    parts += ['", "group_id": ', _text(rows, "group_id")]
    if created:
        parts += [', "create_time_utc": "', _text(rows, "create_time_utc"), '"']
    parts += [', "last_update_time_utc": "', _text(rows, "last_update_time_utc"), '"}\n']
    return "".join(pc.binary_join_element_wise(*parts, "").to_pylist()).encode()


def _text(rows: pa.Table, name: str) -> pa.ChunkedArray:
    values = rows.column(name)
    if pa.types.is_timestamp(values.type):
        return pc.strftime(values.cast(pa.timestamp("s", "UTC")), "%Y-%m-%dT%H:%M:%SZ")
    return values.cast(pa.string())


def _sent(place: Place, home: Home, bodies: list[bytes]) -> Cost:
    """Each body sent after the one before it was answered. Raises RuntimeError where a row was refused."""
    copy = home.copied(place.work / "homes" / "new_versions")
    with Server(copy) as server, Caller(server) as caller:
        begun, ends = cpu_seconds(server.pid), list[float]()
        for body in bodies:
            status, answer = caller.call("POST", "/api/v1/streams/players/events", body)
            if status != 200 or answer["rejected"]:
                raise RuntimeError(f"a batch was refused: {status} {answer}")
            ends.append(cpu_seconds(server.pid))
        found = _INDEX.search(caller.ask("GET", "/metrics", {}).text)
    shutil.rmtree(copy.folder)
    return Cost(ends[0] - begun, ends[-1] - ends[0], float(found[1]) if found else 0.0)


def _ingested(place: Place, home: Home, file: Path) -> float:
    """Processor seconds of the command."""
    copy = home.copied(place.work / "homes" / "new_versions")
    begun = _of_children()
    copy.run("ingest", "players", str(file), "--account", SLUG)
    used = _of_children() - begun
    shutil.rmtree(copy.folder)
    return used


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
