"""Making exports: from acknowledged rows to parts, through trouble, restarts and takeovers."""

from __future__ import annotations

import errno
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from airtally.accounts.accounts import Account
from airtally.engine.child_process import InProcess
from airtally.exports.export import Export, ExportLimits
from airtally.exports.lanes import PartLimits
from airtally.exports.spec import MIN_PART_BYTES, AskedRows, Compression, ExportFormat, ExportSpec
from airtally.exports.work import LargeExportWorker
from airtally.kit.faults import Faults
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.streams import PLAYERS, PLAYLOGS
from fixtures.exports import PLAYS, ExportHome, parquet_schema
from fixtures.killed import Killed

#: What depends on the kind of metadata store is tested with the service and the jobs.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
SCHEMA = parquet_schema(PLAYLOGS)

Home = Callable[..., ExportHome]


def play(number: int, **changes: Any) -> dict[str, Any]:
    base = {"player_id": number % 7, "played_at": NOON + timedelta(hours=7 * number), "id": f"p{number}"}
    return base | {"media_id": number, "type": "I", "ip": "10.0.0.1", "duration_seconds": number / 8} | changes


def as_exported(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {name: row.get(name) for name in SCHEMA.names} | {"played_at": row["played_at"].replace(tzinfo=None)}
        for row in rows
    ]


def by_media(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda each: each["media_id"])


@pytest.mark.parametrize("packing", list(Compression))
@pytest.mark.parametrize("form", list(ExportFormat))
def test_rows_come_back_as_they_were_sent(export_home: Home, form: ExportFormat, packing: Compression) -> None:
    home = export_home()
    plays = [play(number) for number in range(20)]
    plays += [play(20, id=None, duration_seconds=None), play(21, ip='a,"b"\n\r\\c'), play(22, id="ü\x01\t☃", ip=" ")]
    home.send("playlogs", plays[:9])
    home.flush()
    home.send("playlogs", plays[9:])
    export = home.made(ExportSpec(rows=PLAYS, format=form, compression=packing))
    assert by_media(home.rows(export, SCHEMA)) == as_exported(*plays)
    assert export.data_through == home.clock.now_us() or export.data_through is not None
    assert home.exports.parts(export)[0].file_name(export.spec).startswith(f"export-{export.id}-0001.")


def test_parts_end_at_their_rows_and_at_their_bytes(export_home: Home) -> None:
    home = export_home(part_limits=PartLimits(4, 1 << 30))
    plays = [play(number, played_at=NOON) for number in range(10)]
    home.send("playlogs", plays)
    by_rows = home.made(ExportSpec(rows=PLAYS))
    assert [table.num_rows for table in home.tables(by_rows, SCHEMA)] == [4, 4, 2]
    assert by_media(home.rows(by_rows, SCHEMA)) == as_exported(*plays)
    chosen = home.made(ExportSpec(rows=PLAYS, part_rows=9, format=ExportFormat.PARQUET))
    assert [table.num_rows for table in home.tables(chosen, SCHEMA)] == [9, 1]


def test_a_large_part_ends_at_its_bytes(export_home: Home) -> None:
    home = export_home()
    home.send("playlogs", [play(number, ip=f"{number:0200}", played_at=NOON) for number in range(2000)])
    export = home.made(
        ExportSpec(rows=PLAYS, compression=Compression.NONE, part_bytes=MIN_PART_BYTES, format=ExportFormat.NDJSON)
    )
    assert export.parts == 1, "20,000 rows are written before a size is looked at"
    home.send("playlogs", [play(number, ip=f"{number:0200}", played_at=NOON) for number in range(2000, 60_000)])
    export = home.made(
        ExportSpec(rows=PLAYS, compression=Compression.NONE, part_bytes=MIN_PART_BYTES, format=ExportFormat.NDJSON)
    )
    assert export.parts == 3
    assert sorted(row["media_id"] for row in home.rows(export, SCHEMA)) == list(range(60_000))


@pytest.mark.parametrize("form", list(ExportFormat))
def test_no_row_makes_one_part_without_rows(export_home: Home, form: ExportFormat) -> None:
    home = export_home()
    export = home.made(ExportSpec(rows=PLAYS, format=form))
    assert [table.num_rows for table in home.tables(export, SCHEMA)] == [0]
    home.send("playlogs", [play(1)])
    filtered = home.made(ExportSpec(rows=AskedRows("playlogs", filter={"media_id": 99}), format=form))
    assert [table.num_rows for table in home.tables(filtered, SCHEMA)] == [0]


def test_columns_filter_and_interval_choose_rows(export_home: Home, other_account: Account) -> None:
    home = export_home()
    home.send("playlogs", [play(number) for number in range(20)])
    home.send("playlogs", [play(3)], account=other_account)
    asked = AskedRows(
        "playlogs",
        columns=["media_id", "player_id"],
        filter={"player_id": [3, 4]},
        start="2026-10-02T00:00:00",
        end="2026-10-04T00:00:00",
    )
    export = home.made(ExportSpec(rows=asked))
    rows = home.rows(export, parquet_schema(PLAYLOGS, ("media_id", "player_id")))
    wanted = [play(number) for number in range(20)]
    wanted = [
        each
        for each in wanted
        if each["player_id"] in {3, 4}
        and datetime(2026, 10, 2, tzinfo=UTC) <= each["played_at"] < datetime(2026, 10, 4, tzinfo=UTC)
    ]
    assert by_media(rows) == [{name: each[name] for name in ("media_id", "player_id")} for each in wanted]
    assert rows


def test_a_repeat_counts_once_as_last_received(export_home: Home) -> None:
    home = export_home()
    home.send("playlogs", [play(1), play(2)])
    home.flush()
    home.send("playlogs", [play(1, media_id=70)])
    assert by_media(home.rows(home.made(ExportSpec(rows=PLAYS)), SCHEMA)) == as_exported(play(2), play(1, media_id=70))


def test_rows_that_come_later_are_not_in_it(export_home: Home) -> None:
    home = export_home(part_limits=PartLimits(1, 1 << 30), unit_rows=1)
    home.send("playlogs", [play(1), play(9)])
    export = home.create(ExportSpec(rows=PLAYS))
    stops = Stops(home, after=1)
    with pytest.raises(Killed):
        home.again(faults=stops, turn_seconds=0.0).worker(renew_seconds=3600.0).step()
    data_through = home.now(export).data_through
    home.send("playlogs", [play(4), play(1, media_id=70)])
    home.flush()
    assert home.worker().step() == 0.0
    assert by_media(home.rows(export, SCHEMA)) == as_exported(play(1), play(9))
    assert home.now(export).data_through == data_through


class Stops(Faults):
    """Ends a worker's work after some parts, as kill -9 does: nothing of it is tidied up."""

    def __init__(self, home: ExportHome, after: int, point: str = "export.part") -> None:
        self.home, self.left, self.point = home, after, point

    def reach(self, point: str) -> None:
        if point == self.point:
            self.left -= 1
            if not self.left:
                self.home.clock.advance(61)  # whoever looks now sees that the lease has ended
                raise Killed


@pytest.fixture
def killed(export_home: Home) -> Callable[..., tuple[ExportHome, Export]]:
    """An export whose worker ended after some calls of the renderer, each of which took one step."""

    def end(spec: ExportSpec, rows: list[dict[str, Any]], *, after: int, stream: str = "playlogs", **changes: Any):
        home = export_home(**changes)
        home.send(stream, rows)
        home.flush()
        export = home.create(spec)
        with pytest.raises(Killed):
            home.again(faults=Stops(home, after), turn_seconds=0.0).worker(renew_seconds=3600.0).step()
        return home, export

    return end


ENDS = [(ExportSpec(rows=PLAYS, format=ExportFormat.NDJSON), after) for after in range(1, 13)]
ENDS += [(ExportSpec(rows=PLAYS, format=ExportFormat.PARQUET), after) for after in range(1, 6)]
ENDS += [(ExportSpec(rows=PLAYS, format=ExportFormat.PARQUET, compression=Compression.NONE), each) for each in (3, 7)]


@pytest.mark.parametrize(("spec", "after"), ENDS)
def test_another_worker_goes_on_after_the_last_finished_part(killed: Any, spec: ExportSpec, after: int) -> None:
    plays = [play(number) for number in range(20)]
    home, export = killed(spec, plays, after=after, part_limits=PartLimits(6, 1 << 30), unit_rows=3)
    before = {each.stored_name for each in home.ledger.parts(export)}
    assert home.worker().step() == 0.0
    assert by_media(home.rows(export, SCHEMA)) == as_exported(*plays)
    after_all = {each.stored_name for each in home.ledger.parts(export)}
    assert before <= after_all, "a finished part was made again"
    assert home.stored_names() == sorted(after_all), "something is left over"
    assert not list((home.folder / "staging").glob("*"))


@pytest.mark.parametrize("after", range(1, 14, 3))
def test_lanes_go_on_each_after_its_last_part(killed: Any, after: int) -> None:
    plays = [play(number) for number in range(60)]
    spec = ExportSpec(rows=PLAYS, format=ExportFormat.NDJSON)
    changes = {"part_limits": PartLimits(6, 1 << 30), "unit_rows": 3, "lanes": 3, "in_process_rows": 10}
    home, export = killed(spec, plays, after=after, **changes)
    before = {each.stored_name for each in home.ledger.parts(export)}
    assert home.worker().step() == 0.0
    rows = home.rows(export, SCHEMA)
    assert by_media(rows) == as_exported(*plays)
    assert {each.lane for each in home.ledger.parts(export)} == {0, 1, 2}
    days = [row["played_at"].date() for row in rows]
    assert days == sorted(days), "the parts are not in the order of the lanes"
    assert before <= {each.stored_name for each in home.ledger.parts(export)}


def player(number: int, minute: int = 0, **changes: Any) -> dict[str, Any]:
    at = NOON + timedelta(minutes=minute)
    base = {"player_id": number, "name": f"player {number}", "create_time_utc": NOON, "last_update_time_utc": at}
    return base | {"is_deleted": 0} | changes


PLAYER_ROWS = [player(number) for number in range(10)]
PLAYER_ROWS += [player(number, 5, name="renamed") for number in range(0, 10, 3)] + [player(4, 9, is_deleted=1)]
PLAYER_SCHEMA = parquet_schema(PLAYERS, ("player_id", "name", "last_update_time_utc"))


def players(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [{name: row[name] for name in PLAYER_SCHEMA.names} for row in rows]


def asked_players(**more: Any) -> ExportSpec:
    return ExportSpec(rows=AskedRows("players", columns=list(PLAYER_SCHEMA.names), **more), format=ExportFormat.NDJSON)


def test_records_are_as_they_are_now_and_with_their_versions(export_home: Home) -> None:
    home = export_home()
    home.send("players", PLAYER_ROWS)
    now = {row["player_id"]: row for row in PLAYER_ROWS}
    live = [now[number] for number in sorted(now) if not now[number]["is_deleted"]]
    assert home.rows(home.made(asked_players()), PLAYER_SCHEMA) == players(*live)
    assert home.rows(home.made(asked_players(deleted=True)), PLAYER_SCHEMA) == players(*(now[n] for n in sorted(now)))
    versions = sorted(PLAYER_ROWS, key=lambda row: (row["player_id"], row["last_update_time_utc"]))
    assert home.rows(home.made(asked_players(versions=True)), PLAYER_SCHEMA) == players(*versions)
    renamed = home.made(asked_players(versions=True, filter={"name": "renamed"}, end="2026-10-01T12:05:01Z"))
    assert home.rows(renamed, PLAYER_SCHEMA) == players(*(each for each in versions if each["name"] == "renamed"))


@pytest.mark.parametrize("versions", [False, True])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_records_go_on_within_their_order(killed: Any, after: int, versions: bool) -> None:
    home, export = killed(
        asked_players(versions=versions), PLAYER_ROWS, after=after, stream="players", part_limits=PartLimits(2, 1 << 30)
    )
    before = {each.stored_name for each in home.ledger.parts(export)}
    assert before
    assert home.worker().step() == 0.0
    rows = home.rows(export, PLAYER_SCHEMA)
    assert rows == home.rows(home.made(asked_players(versions=versions)), PLAYER_SCHEMA)
    assert before <= {each.stored_name for each in home.ledger.parts(export)}


@pytest.mark.parametrize("point", ["export.begin", "export.publish"])
def test_a_worker_that_ends_at_any_point_is_followed_by_another(killed: Any, export_home: Home, point: str) -> None:
    home = export_home()
    plays = [play(number) for number in range(9)]
    home.send("playlogs", plays)
    export = home.create(ExportSpec(rows=PLAYS))
    with pytest.raises(Killed):
        home.again(faults=Stops(home, 1, point)).worker(renew_seconds=3600.0).step()
    assert home.exports.parts(home.now(export)) == []
    assert home.worker().step() == 0.0
    assert by_media(home.rows(export, SCHEMA)) == as_exported(*plays)


@pytest.mark.parametrize("after", [1, 3])
def test_figures_begin_anew_after_a_death_and_are_right(export_home: Home, after: int) -> None:
    """Finished parts of the attempt that died are not mixed with figures of what came since."""
    home = export_home(part_limits=PartLimits(3, 1 << 30))
    plays = [play(number, media_id=number % 9) for number in range(20)]
    home.send("playlogs", plays)
    query = {"stream": "playlogs", "metrics": ["count"], "dimensions": ["media_id"]}
    export = home.create(ExportSpec(query=query, format=ExportFormat.NDJSON))
    with pytest.raises(Killed):
        home.again(faults=Stops(home, after), turn_seconds=0.0).worker(renew_seconds=3600.0).step()
    died_with = {each.stored_name for each in home.ledger.parts(export)}
    assert died_with, "it died before its first part"
    more = [play(100 + number, media_id=0) for number in range(5)]
    home.send("playlogs", more)
    assert home.worker().step() == 0.0
    found = home.rows(export, pa.schema({"media_id": pa.int64(), "count": pa.int64()}))
    right = Counter(row["media_id"] for row in plays + more)
    assert [row["media_id"] for row in found] == sorted(right)
    assert {row["media_id"]: row["count"] for row in found} == right
    noted = {each.stored_name for each in home.ledger.parts(export)}
    assert not noted & died_with
    assert home.stored_names() == sorted(noted)


def test_a_worker_that_lost_its_job_leaves_nothing(export_home: Home) -> None:
    home = export_home(part_limits=PartLimits(2, 1 << 30), unit_rows=1)
    plays = [play(number) for number in range(9)]
    home.send("playlogs", plays)
    export = home.create(ExportSpec(rows=PLAYS))

    class TakenOver(Faults):
        taken = False

        def reach(self, point: str) -> None:
            if point == "export.part" and not self.taken:
                self.taken = True
                home.clock.advance(61)
                assert home.worker().step() == 0.0

    slow = home.again(faults=TakenOver(), turn_seconds=0.0)
    assert slow.worker(renew_seconds=3600.0).step() == 0.0
    assert by_media(home.rows(export, SCHEMA)) == as_exported(*plays)
    assert home.stored_names() == sorted(each.stored_name for each in home.exports.parts(home.now(export)))


class Trouble(Faults):
    """Raises the given errors, one each time a point is reached, then nothing more."""

    def __init__(self, point: str, *errors: Exception) -> None:
        self.point, self.errors = point, list(errors)

    def reach(self, point: str) -> None:
        if point == self.point and self.errors:
            raise self.errors.pop(0)


def test_a_full_disk_is_waited_out_and_said(export_home: Home) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    home = export_home(faults=Trouble("files.write", full, full))
    home.send("playlogs", [play(1)])
    export = home.create(ExportSpec(rows=PLAYS))
    for _ in range(2):
        assert home.worker().step() == 0.0
        waiting = home.now(export)
        assert (waiting.state, waiting.parts) == ("queued", 0)
        assert waiting.error is not None
        assert "no room" in waiting.error
        home.clock.advance(10)
    assert home.worker().step() == 0.0
    assert home.rows(export, SCHEMA) == as_exported(play(1))


def test_a_full_disk_fails_the_export_after_an_hour(export_home: Home) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    home = export_home(faults=Trouble("files.write", *[full] * 100))
    export = home.create(ExportSpec(rows=PLAYS))
    for _ in range(10):
        home.worker().step()
        home.clock.advance(450)
    failed = home.now(export)
    assert failed.state == "failed"
    assert "no room" in str(failed.error)
    assert not list((home.folder / "staging").glob("*"))


def test_exports_leave_the_rest_of_a_disk_to_rows(export_home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """One account's exports could otherwise keep every account from sending rows."""
    home = export_home(part_limits=PartLimits(2, 1 << 30))
    home.send("playlogs", [play(number, played_at=NOON) for number in range(9)])
    export = home.create(ExportSpec(rows=PLAYS))
    with monkeypatch.context() as patched:
        patched.setattr("airtally.kit.disks.RESERVE_BYTES", 1 << 60)
        patched.setattr("airtally.kit.disks.RESERVE_SHARE", 1)
        home.worker().step()
        waiting = home.now(export)
        assert (waiting.state, waiting.parts) == ("queued", 0)
    home.clock.advance(60)
    home.worker().step()
    assert home.now(export).state == "done"


def test_a_failure_of_the_program_is_said_in_words(export_home: Home) -> None:
    home = export_home(faults=Trouble("export.begin", KeyError("secret")))
    export = home.made(ExportSpec(rows=PLAYS))
    assert export.state == "failed"
    assert "A fault in the server (KeyError)" in str(export.error)
    assert "secret" not in str(export.error)


def test_a_cancelled_export_stops_and_its_files_go(export_home: Home) -> None:
    home = export_home(part_limits=PartLimits(2, 1 << 30), unit_rows=1)
    home.send("playlogs", [play(number) for number in range(9)])
    export = home.create(ExportSpec(rows=PLAYS))

    class Cancels(Faults):
        def reach(self, point: str) -> None:
            if point == "export.part" and home.now(export).parts == 1:
                home.exports.cancel(home.account, export.id)

    assert home.again(faults=Cancels(), turn_seconds=0.0).worker().step() == 0.0
    assert home.now(export).state == "cancelled"
    assert home.worker().step() is None
    assert home.stored_names()
    home.clock.advance(181)
    assert home.expiry.step() == 0.0
    assert home.stored_names() == []
    assert not list((home.folder / "staging").glob("*"))


def test_expired_files_are_deleted(export_home: Home) -> None:
    home = export_home()
    home.send("playlogs", [play(1)])
    export = home.made(ExportSpec(rows=PLAYS))
    home.clock.advance(7 * 86_400 - 1)
    assert home.expiry.step() is None
    assert home.rows(export, SCHEMA)
    home.clock.advance(1)
    assert home.expiry.step() == 0.0
    assert home.stored_names() == []
    assert home.now(export).state == "expired"


def test_a_snapshot_whose_files_are_gone_is_taken_anew(killed: Any) -> None:
    plays = [play(number) for number in range(20)]
    home, export = killed(ExportSpec(rows=PLAYS), plays, after=6, part_limits=PartLimits(6, 1 << 30), unit_rows=3)
    assert home.ledger.parts(export)
    compactor = Compactor(home.store.lake.table(PLAYLOGS), InProcess())
    assert compactor.run(EAGER)
    lake = home.folder / "lake"
    gone = [path for path in lake.rglob("*.parquet") if not path.name.startswith("clean-")]
    assert gone
    for path in gone:
        path.unlink()
    assert home.worker().step() == 0.0
    assert home.now(export).state == "queued"
    home.clock.advance(5)
    assert home.worker().step() == 0.0
    assert by_media(home.rows(export, SCHEMA)) == as_exported(*plays)
    assert home.stored_names() == sorted(each.stored_name for each in home.exports.parts(home.now(export)))


def test_more_bytes_than_the_account_may_keep_fail_it(export_home: Home) -> None:
    home = export_home(limits=ExportLimits(kept_bytes=400), part_limits=PartLimits(2, 1 << 30))
    home.send("playlogs", [play(number, played_at=NOON) for number in range(9)])
    export = home.made(ExportSpec(rows=PLAYS))
    assert (export.state, export.error) == (
        "failed",
        "The account's exports would have more than 400 bytes of files (AIRTALLY_EXPORTS_MAX)",
    )


def test_two_workers_make_each_export_once(export_home: Home) -> None:
    home = export_home(limits=ExportLimits(waiting=100))
    home.send("playlogs", [play(number) for number in range(9)])
    made = [home.create(ExportSpec(rows=PLAYS)) for _ in range(12)]
    others = [home, home.again()]
    workers = [each.worker() for each in others for _ in range(2)]

    def until_none_is_left(worker: Any) -> None:
        while worker.step() is not None:
            pass

    threads = [threading.Thread(target=until_none_is_left, args=(worker,)) for worker in workers]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    until_none_is_left(workers[0])
    assert {home.now(each).state for each in made} == {"done"}
    assert {home.jobs.find("export", str(each.id)).attempts for each in made} == {1}
    assert {len(home.rows(each, SCHEMA)) for each in made} == {9}


def test_an_account_among_others_has_parts_of_its_own_rows(export_home: Home, other_account: Account) -> None:
    """Files of several accounts say nothing of how many rows one has: they are counted, so that parts are not small."""
    home = export_home(part_limits=PartLimits(8, 1 << 30), unit_rows=4)
    home.send("playlogs", [play(number) for number in range(100)], account=other_account)
    plays = [play(number) for number in range(20)]
    home.send("playlogs", plays)
    home.flush()
    compactor = Compactor(home.store.lake.table(PLAYLOGS), InProcess())
    assert compactor.run(EAGER)
    for form in (ExportFormat.NDJSON, ExportFormat.PARQUET):
        tables = home.tables(home.made(ExportSpec(rows=PLAYS, format=form)), SCHEMA)
        assert by_media([row for table in tables for row in table.to_pylist()]) == as_exported(*plays)
        assert [table.num_rows for table in tables][:-1] >= [5, 5]
        assert len(tables) <= 4


def test_what_takes_too_long_in_this_process_is_made_in_the_child(export_home: Home) -> None:
    """The limit of time is for answers that are waited for. 400,000 lines take some ten times as long as this one."""
    home = export_home(in_process_rows=1 << 40, seconds=0.1)
    rows = pa.Table.from_pylist([play(0) | {"id": None}], schema=PLAYLOGS.row_schema)
    home.store.buffer.append(PLAYLOGS, "acme", pa.concat_tables([rows] * 400_000).combine_chunks()).result(60)
    export = home.made(ExportSpec(rows=PLAYS, format=ExportFormat.NDJSON))
    assert (export.state, export.rows, export.error) == ("done", 400_000, None)


def test_a_small_export_does_not_wait_for_large_ones(export_home: Home) -> None:
    """Those of any account: they have workers of their own."""
    reached, go_on = threading.Event(), threading.Event()

    class Held(Faults):
        def reach(self, point: str) -> None:
            if point == "export.part":
                reached.set()
                assert go_on.wait(60)

    home = export_home(small_rows=10)
    home.send("playlogs", [play(number) for number in range(20)])
    large = home.create(ExportSpec(rows=PLAYS))
    assert home.worker().step() is None
    making = threading.Thread(target=home.again(faults=Held()).worker(LargeExportWorker).step)
    making.start()
    try:
        assert reached.wait(60)
        small = home.create(ExportSpec(rows=AskedRows("playlogs", end="2026-10-01T20:00:00")))
        assert home.worker().step() == 0.0
        assert (home.now(small).state, home.now(small).rows, home.now(large).state) == ("done", 2, "running")
    finally:
        go_on.set()
        making.join()
    assert home.now(large).state == "done"
