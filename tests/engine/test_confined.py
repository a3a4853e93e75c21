"""Confined processes: what runs in them can open nothing, and ends at its limits without holding up the next."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airtally.engine.confined.job import MAX_ROWS, ConfinedFiles, ConfinedJob
from airtally.engine.confined.runner import ALL, WARM, ConfinedFailure, ConfinedRunner, SourceMissing
from airtally.kit.errors import TooManyRequests, Unavailable
from airtally.storage.lake.snapshot import DataFile

SCHEMA = pa.schema([("account", pa.string()), ("n", pa.int64())])
NUMBERS = pa.table({"n": list(range(1000))})
#: More rows than any machine adds up in the time that a test gives it.
ENDLESS = "SELECT sum(a.n + b.n + c.n + d.n + e.n) FROM " + ", ".join(f"_numbers {name}" for name in "abcde")


@pytest.fixture(scope="module")
def runner():
    with_processes = ConfinedRunner()
    yield with_processes
    with_processes.close()


def run(runner, text, *, seconds=20.0, account="acme", parameters=None, **sources):
    sources = {f"_{name}": source for name, source in ({"numbers": NUMBERS} | sources).items()}
    return runner.run(account, seconds, lambda left: ConfinedJob(text, parameters or {}, sources, left))


def failure(runner, text, **more):
    with pytest.raises(ConfinedFailure) as failed:
        run(runner, text, **more)
    return failed.value


@pytest.fixture
def files(tmp_path):
    pq.write_table(pa.table({"account": ["acme", "other"], "n": [1, 2]}, SCHEMA), tmp_path / "a.parquet")
    return ConfinedFiles((DataFile(str(tmp_path / "a.parquet"), 2, 1, None, ids_all_null=True),), SCHEMA, "acme")


def test_rows_of_tables_and_files_with_parameters(runner, files):
    text = "SELECT n FROM (SELECT n FROM _files UNION ALL SELECT n FROM _numbers WHERE n > $least) ORDER BY n"
    assert run(runner, text, files=files, parameters={"least": 997})["n"].to_pylist() == [1, 998, 999]


def test_files_show_the_rows_of_their_account_alone_whatever_the_statement_says(runner, files):
    assert run(runner, "SELECT account, n FROM _files", files=files).to_pylist() == [{"account": "acme", "n": 1}]


def written(path, *accounts):
    """A file of a row for each account; their number is its place."""
    pq.write_table(pa.table({"account": list(accounts), "n": range(len(accounts))}, SCHEMA), path, row_group_size=2)
    return DataFile(str(path), len(accounts), 1, None, ids_all_null=True)


@pytest.mark.parametrize(
    "held",
    [
        [["acme"] * 5],
        [["acme"] * 5, ["acme"]],
        [["acme"] * 5, ["acme", "other"], ["acme", "acme", "other", "other", "zebra"]],
        [["acme", "other"], ["aaa", "acme"]],
        [["acme", None]],
        [["other"] * 3],
    ],
    ids=["alone", "two alone", "alone beside shared ones", "shared", "with a null", "another's"],
)
def test_of_files_with_rows_of_others_too_only_the_accounts_rows_are_there(runner, tmp_path, held):
    files = tuple(written(tmp_path / f"{place}.parquet", *each) for place, each in enumerate(held))
    found = run(runner, "SELECT account, n FROM _files ORDER BY n", files=ConfinedFiles(files, SCHEMA, "acme"))
    expected = sorted(n for each in held for n, account in enumerate(each) if account == "acme")
    assert found["n"].to_pylist() == expected
    assert set(found["account"].to_pylist()) <= {"acme"}


def test_only_files_of_the_account_alone_can_be_read_by_path(tmp_path):
    """What a statement would see that got past both checks of its text."""
    alone, shared = written(tmp_path / "a.parquet", "acme"), written(tmp_path / "b.parquet", "acme", "other")
    source = ConfinedFiles((alone, shared), SCHEMA, "acme")
    script = BESIDE.format(folder=str(tmp_path), source=pickle.dumps(source))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["1", "PermissionException", "Error", "PermissionException", "[]"]


BESIDE = """
import pickle
from airtally.engine.confined import run
from airtally.engine.confined.job import ConfinedJob
from airtally.engine.confined.relations import ConfinedRelations
engine = run._open_engine()
ConfinedRelations(engine.connection, engine.opened).register({{"_files": pickle.loads({source})}})
engine.lock()
run._give_up(ConfinedJob("", {{}}, {{}}, 20.0))
def tried(text):
    try:
        return len(engine.connection.execute(text).fetchall())
    except Exception as error:
        return type(error).__name__
print(tried("SELECT * FROM read_parquet('opened://0')"), tried("SELECT * FROM read_parquet('opened://1')"))
print(tried("COPY (SELECT 1) TO 'opened://0' (USE_TMP_FILE false, FORMAT csv)"), tried("SELECT * FROM glob('opened://*')"))
shown = engine.connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
print([text for (text,) in shown if "{folder}" in text])
"""


def test_a_file_that_is_gone(runner, tmp_path):
    gone = ConfinedFiles((DataFile(str(tmp_path / "b.parquet"), 2, 1, None, ids_all_null=True),), SCHEMA)
    with pytest.raises(SourceMissing, match=r"b\.parquet"):
        run(runner, "SELECT 1 FROM _gone", gone=gone)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
        ("SELECT * FROM '/etc/passwd'", "/etc/passwd"),
        ("SELECT current_setting('memory_limit')", "current_setting"),
        ("SELECT * FROM duckdb_settings()", "duckdb_settings"),
        ("SELECT * FROM query('SELECT 1')", "query"),
        ("SELECT * FROM information_schema.tables", "tables"),
        ("SELECT * FROM _others", "_others"),
        ("SELECT 1; SELECT 2", "statement"),
        ("COPY _numbers TO '/tmp/x'", "statement"),
        ("PRAGMA database_list", "statement"),
        ("SELECT (WITH x AS (SELECT * FROM range(5)) SELECT 1)", "range"),
    ],
)
def test_the_engines_own_parser_is_asked_once_more(runner, text, name):
    failed = failure(runner, text)
    assert (failed.code, failed.name) == ("refused", name)


@pytest.mark.parametrize(
    ("text", "code", "name"),
    [
        ("SELECT nope FROM _numbers", "no_column", "nope"),
        ("SELECT a.nope FROM _numbers a", "no_column", "nope"),
        ("SELECT b.n FROM _numbers a", "no_table", "b"),
        ("SELECT n FROM _numbers a, _numbers b", "ambiguous", "n"),
        ("SELECT n, count(*) FROM _numbers", "not_grouped", "n"),
        ("SELECT sum('a')", "wrong_arguments", "sum"),
        ("SELECT 'a'::INT", "conversion", ""),
        ("SELECT 9223372036854775807 + n FROM _numbers", "overflow", ""),
        ("SELECT (SELECT n FROM _numbers)", "one_row", ""),
        ("SELECT n FROM _numbers UNION SELECT n, n FROM _numbers", "column_count", ""),
        ("SELECT count(*) FROM _numbers WHERE sum(n) > 1", "aggregate", ""),
        ("SELECT now() AT TIME ZONE 'Mars'", "time_zone", ""),
        ("SELECT '{' -> '$.a'", "json", ""),
        ("SELECT strptime('x', '%Y')", "format", ""),
        ("SELECT n FROM _numbers ORDER BY 5", "position", ""),
        ("SELECT unnest(n) FROM _numbers", "unnest", ""),
    ],
)
def test_errors_of_the_engine_leave_as_codes(runner, text, code, name):
    failed = failure(runner, text)
    assert (failed.code, failed.name) == (code, name)


def ready(runner):
    """The processes that wait, once they are as many as they are to be."""
    deadline = time.monotonic() + 30
    while len(runner.pids) < WARM and time.monotonic() < deadline:
        time.sleep(0.01)
    return runner.pids


def test_each_statement_has_a_process_of_its_own(runner):
    run(runner, "SELECT 1")
    first = ready(runner)
    run(runner, "SELECT 1")
    second = ready(runner)
    assert len(first) == len(second) == 2
    assert first[0] not in second


def test_a_statement_that_never_ends_ends_at_its_limit_while_others_are_answered(runner):
    run(runner, "SELECT 1")
    ended, begun = [], time.monotonic()
    thread = threading.Thread(target=lambda: ended.append((failure(runner, ENDLESS, seconds=4).code, time.monotonic())))
    thread.start()
    answered = []
    while thread.is_alive() and time.monotonic() - begun < 3:
        at = time.monotonic()
        assert run(runner, "SELECT count(*) AS n FROM _numbers", account="other")["n"].to_pylist() == [1000]
        answered.append(time.monotonic() - at)
    thread.join()
    assert len(answered) >= 2
    assert max(answered) < 3
    ((code, at),) = ended
    assert code == "time"
    assert at - begun < 4 + 4


@pytest.mark.parametrize(
    "text",
    [
        "SELECT list(a.n) FROM _numbers a, _numbers b, _numbers c",
        "SELECT length(string_agg(concat(a.n, b.n, 'aaaaaaaa'), ',')) FROM _numbers a, _numbers b, _numbers c",
        "WITH t0 AS (SELECT max(concat(n, 'aaaaaaaaaaaaaaaa')) AS x FROM _numbers), "
        + ", ".join(f"t{n + 1} AS (SELECT concat(x, x, x, x, x, x, x, x) AS x FROM t{n})" for n in range(10))
        + " SELECT length(x) AS n FROM t10",
    ],
    ids=["lists", "one text", "texts that grow"],
)
def test_a_statement_that_eats_memory_ends_and_the_next_is_answered(runner, text):
    assert failure(runner, text, seconds=60).code == "memory"
    assert run(runner, "SELECT 1 AS n")["n"].to_pylist() == [1]


def test_an_answer_that_is_too_long_or_too_large(runner):
    assert failure(runner, "SELECT a.n FROM _numbers a, _numbers b").code == "too_many_rows"
    wide = pa.table({"t": ["a" * 1000] * 1000})
    assert (
        failure(runner, "SELECT a.t FROM _wide a, (SELECT n FROM _numbers LIMIT 80)", wide=wide).code
        == "too_many_bytes"
    )
    assert run(runner, "SELECT a.n FROM _numbers a, (SELECT n FROM _numbers LIMIT 100)").num_rows == MAX_ROWS


def test_a_turn_that_never_comes(runner):
    def hold(account):
        with pytest.raises(ConfinedFailure):
            run(runner, ENDLESS, seconds=3, account=account)

    holders = [threading.Thread(target=hold, args=(f"account-{n}",)) for n in range(ALL)]
    for each in holders:
        each.start()
    time.sleep(0.5)
    with pytest.raises(TooManyRequests):
        run(runner, "SELECT 1", seconds=0.2)
    for each in holders:
        each.join()


def test_processes_that_died_are_replaced(runner):
    run(runner, "SELECT 1")
    for pid in ready(runner):
        os.kill(pid, 9)
    runner._zygote.kill()
    runner._zygote.join()
    assert run(runner, "SELECT 1 AS n")["n"].to_pylist() == [1]


def test_closing_ends_all_processes_and_statements():
    runner, ended = ConfinedRunner(), []

    def ask():
        with pytest.raises(Unavailable):
            run(runner, ENDLESS, seconds=60)
        ended.append(time.monotonic())

    run(runner, "SELECT 1")
    pids = ready(runner)
    thread = threading.Thread(target=ask)
    thread.start()
    time.sleep(1)
    begun = time.monotonic()
    runner.close()
    thread.join()
    assert ended[0] - begun < 10
    assert not any(is_alive(pid) for pid in pids)
    with pytest.raises(Unavailable):
        run(runner, "SELECT 1")


def is_alive(pid):
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    return True


def test_without_statements_the_processes_end():
    runner = ConfinedRunner(idle_seconds=0.2)
    run(runner, "SELECT 1")
    pids = runner.pids
    assert not any(is_alive(pid) for pid in pids)
    assert run(runner, "SELECT 1 AS n").num_rows == 1
    runner.close()


WALLS = """
import os, signal, socket, sys
from airtally.engine.confined import run
from airtally.engine.confined.job import ConfinedJob
run._limit_at_once()
engine = run._open_engine()
connection = engine.connection
engine.lock()
run._give_up(ConfinedJob("", {}, {}, 1.0))
found = []
for attempt in (
    lambda: open("/etc/passwd"), lambda: open("/tmp/x", "w"), lambda: socket.socket(), lambda: os.pipe(), lambda: os.listdir("/"),
    lambda: connection.execute("SELECT * FROM read_text('/etc/passwd')"),
    lambda: connection.execute("SET enable_external_access = true"),
    lambda: connection.execute("SELECT length(repeat('a', 2000000000))").fetchall(),
    lambda: bytearray(2 << 30),
):
    try:
        attempt()
        found.append("done")
    except Exception as error:
        found.append(type(error).__name__)
print(*found, len(os.environ))
sys.stdout.flush()
while True:
    pass
"""


def test_after_it_has_given_up_a_process_can_open_nothing_and_its_cpu_time_ends():
    done = subprocess.run([sys.executable, "-c", WALLS], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == [*["OSError"] * 5, "PermissionException", *done.stdout.split()[6:]], done.stderr
    *_, setting, repeated, large, variables = done.stdout.split()
    assert setting == "InvalidInputException"
    assert repeated in {"OutOfMemoryException", "MemoryError", "OutOfRangeException", "InvalidInputException"}
    assert (large, variables) == ("MemoryError", "0")
    assert done.returncode < 0  # SIGXCPU or, at the hard limit, SIGKILL
