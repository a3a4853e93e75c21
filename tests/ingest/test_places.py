"""A file is recognized by its unpacked content, and one that has grown by its beginning."""

from __future__ import annotations

import contextlib
import gzip
import json
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from airtally.accounts.accounts import Account
from airtally.ingest.contents import raw_digest
from airtally.ingest.decode import csv, ndjson
from airtally.ingest.places import file_identity
from airtally.ingest.tails import TOO_SOON
from airtally.query.question import Dimension, Metric, Question
from airtally.runtime import open_services
from airtally.services import Role, Services
from airtally.storage.store import EventStore, Overtaken
from airtally.streams import PLAYLOGS
from fixtures.homes import unpacked
from fixtures.killed import Killed


@pytest.fixture
def acme(services):
    return services.access.accounts.create("Acme", "acme")


HEADER = b"player_id,media_id,played_at\n"


def ndjson_line(media: int) -> bytes:
    return json.dumps({"player_id": 1, "media_id": media, "played_at": "2026-10-01T08:00:00"}).encode() + b"\n"


def csv_line(media: int) -> bytes:
    return b"1,%d,2026-10-01T08:00:00\n" % media


def ndjson_lines(*medias: int) -> bytes:
    return b"".join(map(ndjson_line, medias))


def csv_lines(*medias: int) -> bytes:
    return HEADER + b"".join(map(csv_line, medias))


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return bytes(sink.getvalue())


def plain(content: bytes) -> bytes:
    return content


#: The endings of a file's name, and how it is packed.
PACKED = {"": plain, ".gz": gzip.compress, ".zst": zstd}
TEXTS = {"ndjson": ndjson_lines, "jsonl": ndjson_lines, "json": ndjson_lines, "csv": csv_lines}


def load(services: Services, account: Account, path: Path, content: bytes, **more: bool) -> tuple[int, int]:
    path.write_bytes(content)
    result = services.intake.files.load(PLAYLOGS, account, path, **more)
    return result.accepted, result.rejected


def medias(services: Services, account: Account) -> dict[int, int]:
    question = Question(PLAYLOGS, account.slug, (Metric("n"),), (Dimension("media_id"),))
    rows = services.queries.answer(question).table.to_pylist()
    return {row["media_id"]: row["n"] for row in rows}


def refused(services: Services, account: Account) -> list[tuple[int, str]]:
    """Line and error of each row in quarantine."""
    quarantine = services.intake.quarantine
    entries = reversed(quarantine.entries(account))
    return [(row.line, row.error) for entry in entries for row in quarantine.rows(account, entry.id)]


# The identity of a file is its unpacked content.


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("first", PACKED)
@pytest.mark.parametrize("second", PACKED)
def test_one_text_packed_in_different_ways_is_loaded_once(services, acme, tmp_path, text, first, second):
    content = TEXTS[text](1, 2)
    assert load(services, acme, tmp_path / f"a.{text}{first}", PACKED[first](content)) == (2, 0)
    assert load(services, acme, tmp_path / f"b.{text}{second}", PACKED[second](content)) == (0, 0)
    assert load(services, acme, tmp_path / f"b.{text}{second}", PACKED[second](content), again=True) == (2, 0)
    assert medias(services, acme) == {1: 2, 2: 2}


def test_two_gzips_of_one_text_are_one_file(services, acme, tmp_path):
    content = ndjson_lines(1, 2)
    halves = gzip.compress(content[:50], 1, mtime=1) + gzip.compress(content[50:], 9, mtime=2)
    assert halves != gzip.compress(content)
    assert load(services, acme, tmp_path / "a.ndjson.gz", gzip.compress(content)) == (2, 0)
    assert load(services, acme, tmp_path / "b.ndjson.gz", halves) == (0, 0)
    assert medias(services, acme) == {1: 1, 2: 1}


@pytest.mark.parametrize(("first", "second"), [("", ".gz"), (".gz", ""), (".zst", ".gz")])
def test_a_run_that_was_stopped_goes_on_with_the_packed_twin(services, acme, tmp_path, monkeypatch, first, second):
    monkeypatch.setattr(ndjson, "CHUNK_BYTES", len(ndjson_line(1)) * 2)
    content = ndjson_lines(*range(10)) + b"wrong\n"
    (tmp_path / f"a.ndjson{first}").write_bytes(PACKED[first](content))
    killed_after(services, acme, tmp_path / f"a.ndjson{first}", 2)
    done = len(medias(services, acme))
    assert 0 < done < 10
    assert load(services, acme, tmp_path / f"other.ndjson{second}", PACKED[second](content)) == (10 - done, 1)
    assert medias(services, acme) == dict.fromkeys(range(10), 1)


def killed_after(services: Services, account: Account, path: Path, chunks: int) -> None:
    seen = []

    def progress(_: object) -> None:
        seen.append(1)
        if len(seen) == chunks:
            raise Killed

    with pytest.raises(Killed):
        services.intake.files.load(PLAYLOGS, account, path, progress=progress)


@pytest.mark.parametrize("packed", PACKED)
def test_the_identity_of_earlier_releases_counts(services, acme, tmp_path, packed):
    """They took the bytes as they are, packed or not, and noted nothing but the lake's transaction."""
    content, path = ndjson_lines(1, 2), tmp_path / f"a.ndjson{packed}"
    path.write_bytes(PACKED[packed](content))
    earlier = file_identity(acme, raw_digest(path))
    load(services, acme, tmp_path / "seed.ndjson", ndjson_line(9))
    rows = services.storage.lake.table(PLAYLOGS).open().to_pyarrow_table().select(PLAYLOGS.row_schema.names)
    services.storage.event_store.append_file_rows(PLAYLOGS, "acme", rows, earlier, len(content))
    assert load(services, acme, path, path.read_bytes()) == (0, 0)
    assert load(services, acme, tmp_path / "twin.ndjson", content) == (0, 0), "known by its content from now on"
    assert load(services, acme, tmp_path / "a.ndjson", content + ndjson_line(3)) == (1, 0)
    assert medias(services, acme) == {9: 2, 3: 1}


def test_a_file_that_an_earlier_release_loaded_is_known_packed_too(tmp_path):
    kept = unpacked("0.1.0", tmp_path)
    services = open_services(kept.settings, clock=kept.clock(), role=Role.NONE)
    try:
        account = services.access.accounts.by_slug("acme")
        content = kept.plays.read_bytes()
        assert load(services, account, tmp_path / "twin.ndjson.gz", gzip.compress(content)) == (0, 0)
        grown = content + ndjson_lines(1)
        assert load(services, account, tmp_path / "twin.ndjson", grown) == (1, 0)
    finally:
        services.close()


# A file that has grown.


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("text", TEXTS)
def test_a_grown_file_is_loaded_from_where_it_was_left(services, acme, tmp_path, text, packed):
    path, lines, pack = tmp_path / f"plays.{text}{packed}", TEXTS[text], PACKED[packed]
    assert load(services, acme, path, pack(lines(1, 2))) == (2, 0)
    assert load(services, acme, path, pack(lines(1, 2, 3))) == (1, 0)
    assert load(services, acme, path, pack(lines(1, 2, 3, 4, 5) + b"wrong\n")) == (2, 1)
    assert load(services, acme, path, pack(lines(1, 2, 3, 4, 5) + b"wrong\n")) == (0, 0)
    assert medias(services, acme) == dict.fromkeys(range(1, 6), 1)
    (line,) = [line for line, _ in refused(services, acme)]
    assert line == 6 + (text == "csv"), "as lines stand in the file"
    assert load(services, acme, tmp_path / f"copy.{text}", lines(1, 2, 3)) == (0, 0), "loaded before it grew"


def test_growing_may_change_the_packing_and_the_folder(services, acme, tmp_path):
    (tmp_path / "other").mkdir()
    assert load(services, acme, tmp_path / "plays.ndjson", ndjson_lines(1)) == (1, 0)
    assert load(services, acme, tmp_path / "plays.ndjson.gz", gzip.compress(ndjson_lines(1, 2))) == (1, 0)
    assert load(services, acme, tmp_path / "other" / "plays.ndjson", ndjson_lines(1, 2, 3)) == (1, 0)
    assert medias(services, acme) == {1: 1, 2: 1, 3: 1}


@pytest.mark.parametrize("other", ["another name", "another account", "a changed beginning", "begun anew"])
def test_what_is_not_the_same_file_is_a_new_one(services, acme, tmp_path, other):
    assert load(services, acme, tmp_path / "plays.ndjson", ndjson_lines(1, 2)) == (2, 0)
    account, name, content = acme, "plays.ndjson", ndjson_lines(1, 2, 3)
    if other == "another name":
        name = "plays.2.ndjson"
    if other == "another account":
        account = services.access.accounts.create("Rival", "rival")
    if other == "a changed beginning":
        content = ndjson_lines(7, 2, 3)
    if other == "begun anew":
        content = ndjson_lines(3)
    assert load(services, account, tmp_path / name, content) == (content.count(b"\n"), 0)


def test_a_rotated_name_counts_each_of_its_files(services, acme, tmp_path):
    """Two files that take turns under one name: each is known by its own beginning."""
    path = tmp_path / "plays.ndjson"
    assert load(services, acme, path, ndjson_lines(1)) == (1, 0)
    assert load(services, acme, path, ndjson_lines(2)) == (1, 0)
    assert load(services, acme, path, ndjson_lines(1, 3)) == (1, 0)
    assert load(services, acme, path, ndjson_lines(2, 4)) == (1, 0)
    assert medias(services, acme) == {1: 1, 2: 1, 3: 1, 4: 1}


@pytest.mark.parametrize("cut", [1, 10, -10, -1])
@pytest.mark.parametrize("text", ["ndjson", "csv"])
@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_line_that_was_written_in_part_counts_once(services, acme, tmp_path, text, packed, cut):
    path, lines, pack = tmp_path / f"plays.{text}{packed}", TEXTS[text], PACKED[packed]
    whole = lines(1, 2, 3)
    begin = len(lines(1, 2))
    at = (begin if cut > 0 else len(whole)) + cut
    first = load(services, acme, path, pack(whole[:at]))
    assert first == ((3, 0) if cut == -1 else (2, 1))
    assert load(services, acme, path, pack(whole + lines(4).removeprefix(HEADER))) == ((1, 0) if cut == -1 else (2, 0))
    assert medias(services, acme) == {1: 1, 2: 1, 3: 1, 4: 1}
    assert refused(services, acme) == [], "the part of a line is not kept once the line is there"


def test_a_line_that_was_taken_too_soon_is_told_and_not_counted_again(services, acme, tmp_path):
    """A CSV row that is whole and yet goes on: the row that was taken stays, what it should have been is kept."""
    path = tmp_path / "plays.csv"
    start = b"played_at,player_id,media_id\n2026-10-01T08:00:00,1,1\n2026-10-01T08:00:00,1,2"
    assert load(services, acme, path, start) == (2, 0)
    assert load(services, acme, path, start + b"2") == (0, 1)
    assert load(services, acme, path, start + b"22\n2026-10-01T08:00:00,1,3\n") == (1, 1)
    assert medias(services, acme) == {1: 1, 2: 1, 3: 1}
    assert set(refused(services, acme)) == {(3, TOO_SOON)}


@pytest.mark.parametrize("end", [*range(-7, 0)])
def test_a_csv_record_over_lines_that_was_written_in_part_counts_once(services, acme, tmp_path, end):
    path = tmp_path / "plays.csv"
    whole = b'player_id,media_id,played_at,id\n1,1,2026-10-01T08:00:00,\n1,2,2026-10-01T08:00:00,"a\nb\nc"\n'
    taken, _ = load(services, acme, path, whole[:end])
    assert taken == (2 if end == -1 else 1)
    assert load(services, acme, path, whole + b"1,3,2026-10-01T08:00:00,\n") == (3 - taken, 0)
    assert medias(services, acme) == {1: 1, 2: 1, 3: 1}
    assert refused(services, acme) == []


@pytest.mark.parametrize("when", ["before the commit", "after the commit"])
@pytest.mark.parametrize("text", ["ndjson", "csv"])
def test_a_file_that_grew_between_a_kill_and_the_next_run(services, acme, tmp_path, monkeypatch, text, when):
    lines = TEXTS[text]
    for module in (ndjson, csv):
        monkeypatch.setattr(module, "CHUNK_BYTES", 60)
    append = EventStore.append_file_rows
    for stopped in range(1, 7):
        account = services.access.accounts.create("Acme", f"acme-{stopped}")
        path = tmp_path / f"plays-{stopped}.{text}"
        path.write_bytes(lines(*range(6)) + b"wrong\n")
        commits = []

        def dying(self, *args, stopped=stopped, commits=commits):
            commits.append(1)
            if when == "before the commit" and len(commits) == stopped:
                raise Killed
            done = append(self, *args)
            if when == "after the commit" and len(commits) == stopped:
                raise Killed
            return done

        with monkeypatch.context() as patched:
            patched.setattr(EventStore, "append_file_rows", dying)
            with contextlib.suppress(Killed):
                services.intake.files.load(PLAYLOGS, account, path)
        rest = lines(*range(6)) + b"wrong\n" + lines(7, 8).removeprefix(HEADER)
        load(services, account, path, rest)
        assert medias(services, account) == dict.fromkeys([*range(6), 7, 8], 1)
        assert len(refused(services, account)) == 1
        assert load(services, account, path, rest) == (0, 0)


def test_a_file_that_grows_while_it_is_read(services, acme, tmp_path, monkeypatch):
    monkeypatch.setattr(ndjson, "CHUNK_BYTES", len(ndjson_line(1)))
    path = tmp_path / "plays.ndjson"
    path.write_bytes(ndjson_lines(1, 2))

    written = [1, 2]

    def progress(result):
        if len(written) < 8:
            written.append(len(written) + 1)
            with path.open("ab") as file:
                file.write(ndjson_line(written[-1]))

    services.intake.files.load(PLAYLOGS, acme, path, progress=progress)
    services.intake.files.load(PLAYLOGS, acme, path)
    assert len(written) > 2
    assert medias(services, acme) == dict.fromkeys(written, 1)


@pytest.mark.parametrize("twin", [False, True])
def test_two_loads_of_one_file_at_once(services, acme, tmp_path, monkeypatch, twin):
    monkeypatch.setattr(ndjson, "CHUNK_BYTES", len(ndjson_line(1)) * 2)
    content = ndjson_lines(*range(30)) + b"wrong\n"
    paths = [tmp_path / "a.ndjson", tmp_path / ("b.ndjson.gz" if twin else "a.ndjson")]
    paths[0].write_bytes(content)
    if twin:
        paths[1].write_bytes(gzip.compress(content))
    threads = [
        threading.Thread(target=services.intake.files.load, args=(PLAYLOGS, acme, path)) for path in (*paths, *paths)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert medias(services, acme) == dict.fromkeys(range(30), 1)
    assert len(refused(services, acme)) == 1


def test_rows_are_not_committed_after_another_position_than_they_were_read_from(services, acme, tmp_path):
    """Two machines, which no lock of one machine keeps apart, met a file that grew between."""
    load(services, acme, tmp_path / "a.ndjson", ndjson_lines(1))
    table = services.storage.lake.table(PLAYLOGS)
    rows = table.open().to_pyarrow_table().select(PLAYLOGS.row_schema.names)
    append = services.storage.event_store.append_file_rows
    assert append(PLAYLOGS, "acme", rows, "file:x", 10, -1)
    with pytest.raises(Overtaken):
        append(PLAYLOGS, "acme", rows, "file:x", 20, -1)
    assert not append(PLAYLOGS, "acme", rows, "file:x", 10, -1)
    assert append(PLAYLOGS, "acme", rows, "file:x", 20, 10)


def test_loads_leave_few_marks(services, acme, tmp_path, monkeypatch):
    monkeypatch.setattr(ndjson, "CHUNK_BYTES", len(ndjson_line(1)))
    for last in range(10, 14):
        load(services, acme, tmp_path / "a.ndjson", ndjson_lines(*range(last)))
    with services.store.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM file_marks").scalar_one() == 4
