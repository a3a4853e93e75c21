"""Files are loaded once, wherever a run was stopped and started again."""

from __future__ import annotations

import json
import shutil

import pytest

from airtally.ingest.decode import ndjson
from airtally.kit.errors import BadRequest, UnsupportedMedia
from airtally.query.question import Dimension, Metric, Question
from airtally.storage.store import EventStore
from airtally.streams import PLAYLOGS
from fixtures.killed import Killed

ROWS = 12
WRONG = {3, 4, 11}


@pytest.fixture
def file(tmp_path, monkeypatch):
    """12 rows, 3 of them wrong, read in chunks of three."""
    lines = [json.dumps({"player_id": n, "media_id": n, "played_at": f"2026-10-01T08:00:{n:02}"}) for n in range(ROWS)]
    wrong = [
        line if n not in WRONG else line.replace("media_id", "medium_id")[:-1] + " }" for n, line in enumerate(lines)
    ]
    path = tmp_path / "plays.ndjson"
    path.write_text("\n".join(wrong) + "\n")
    monkeypatch.setattr(ndjson, "CHUNK_BYTES", len(lines[0]) * 3)
    return path


def medias(services, account):
    question = Question(PLAYLOGS, account.slug, (Metric("n"),), (Dimension("media_id"),))
    rows = services.queries.answer(question).table.to_pylist()
    return {row["media_id"]: row["n"] for row in rows}


EACH_ONCE = {n: 1 for n in range(ROWS) if n not in WRONG}


def refused(services, account):
    """Rows in quarantine."""
    return sum(entry.rows for entry in services.intake.quarantine.entries(account))


def test_a_file_is_loaded_once_wherever_it_lies(services, file, tmp_path):
    account, load = services.access.accounts.create("Acme", "acme"), services.intake.files.load
    seen = []
    first = load(PLAYLOGS, account, file, progress=lambda result: seen.append(result.position))
    assert (first.accepted, first.rejected, first.position) == (9, 3, first.size)
    assert len(seen) >= 4
    assert seen == sorted(set(seen))
    copy = tmp_path / "copy.ndjson"
    shutil.copy(file, copy)
    second = load(PLAYLOGS, account, copy)
    assert (second.accepted, second.rejected, second.resumed_at) == (0, 0, second.size)
    assert medias(services, account) == EACH_ONCE
    assert refused(services, account) == 3
    other = services.access.accounts.create("Other", "other")
    assert load(PLAYLOGS, other, file).accepted == 9, "each account has files of its own"


def test_again_means_as_new_rows(services, file):
    account, load = services.access.accounts.create("Acme", "acme"), services.intake.files.load
    load(PLAYLOGS, account, file)
    assert load(PLAYLOGS, account, file, again=True).accepted == 9
    assert medias(services, account) == dict.fromkeys(EACH_ONCE, 2)
    assert refused(services, account) == 6
    assert load(PLAYLOGS, account, file).accepted == 0


@pytest.mark.parametrize("when", ["before the commit", "after the commit", "after the chunk"])
def test_a_run_killed_at_any_chunk_goes_on(services, file, when, monkeypatch):
    append = EventStore.append_file_rows
    for chunk in range(1, 5):
        account = services.access.accounts.create("Acme", f"acme-{chunk}")
        commits, chunks = [], []

        def dying(self, *args, chunk=chunk, commits=commits):
            commits.append(1)
            if when == "before the commit" and len(commits) == chunk:
                raise Killed
            done = append(self, *args)
            if when == "after the commit" and len(commits) == chunk:
                raise Killed
            return done

        def progress(result, chunk=chunk, chunks=chunks):
            chunks.append(result.position)
            if when == "after the chunk" and len(chunks) == chunk:
                raise Killed

        monkeypatch.setattr(EventStore, "append_file_rows", dying)
        with pytest.raises(Killed):
            services.intake.files.load(PLAYLOGS, account, file, progress=progress)
        monkeypatch.setattr(EventStore, "append_file_rows", append)
        rest = services.intake.files.load(PLAYLOGS, account, file)
        assert rest.position == rest.size
        assert medias(services, account) == EACH_ONCE
        assert refused(services, account) == 3, "a chunk read twice is quarantined once"


def test_chunks_that_are_all_wrong(services, tmp_path, file):
    """There is nothing to commit for them; read again, they are refused once."""
    account = services.access.accounts.create("Acme", "acme")
    path = tmp_path / "wrong.ndjson"
    path.write_text(("{}" + " " * 50 + "\n") * 20)
    for _ in range(3):
        services.intake.files.load(PLAYLOGS, account, path)
    assert refused(services, account) == 20
    assert medias(services, account) == {}


def test_a_changelog_loaded_from_files(services, tmp_path):
    from airtally.streams import PLAYERS

    account = services.access.accounts.create("Acme", "acme")
    path = tmp_path / "players.csv"
    path.write_text("player_id,name,last_update_time_utc\n1,Lobby,2026-10-01T00:00:00Z\n1,Hall,2026-10-02T00:00:00Z\n")
    assert services.intake.files.load(PLAYERS, account, path).accepted == 2
    (record,) = services.queries.current(PLAYERS, account.slug).table.to_pylist()
    assert record["name"] == "Hall"


def test_files_that_cannot_be_read(services, tmp_path):
    account, load = services.access.accounts.create("Acme", "acme"), services.intake.files.load
    for name, content, error in (
        ("plays.txt", b"", UnsupportedMedia),
        ("plays.parquet", b"no", BadRequest),
        ("plays.ndjson.gz", b"no", BadRequest),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(error):
            load(PLAYLOGS, account, path)
    with pytest.raises(FileNotFoundError):
        load(PLAYLOGS, account, tmp_path / "nowhere.ndjson")
    (tmp_path / "empty.ndjson").touch()
    assert load(PLAYLOGS, account, tmp_path / "empty.ndjson").accepted == 0
