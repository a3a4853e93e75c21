"""Two releases on one home: the older one refuses what it does not know, in words, and loses nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from fixtures.homes import KeptHome, unpacked
from fixtures.releases import TODAY, adds_a_metadata_column, adds_a_stream_column, later_release

ACME = {"Authorization": "Bearer native-token-of-acme-0123456789"}
PLAY = {"player_id": 1, "media_id": 8, "played_at": "2026-11-02T08:30:00"}


@pytest.fixture
def kept(tmp_path: Path) -> KeptHome:
    return unpacked("0.1.0", tmp_path / "kept")


def environment(kept: KeptHome) -> dict[str, str]:
    return {"AIRTALLY_SECRET_KEY": kept.settings.secret_key}


def count(url: str) -> int:
    answer = httpx.post(f"{url}/api/v1/query", json={"stream": "playlogs"}, headers=ACME, timeout=30)
    return int(answer.json()["rows"][0]["count"])


@pytest.mark.parametrize(
    ("change", "named"),
    [(adds_a_stream_column, "stream playlogs"), (adds_a_metadata_column, "revision")],
    ids=["stream", "metadata"],
)
def test_an_older_program_refuses_a_home_that_a_newer_one_changed(kept, tmp_path, change, named):
    later = later_release(tmp_path / "later", change)
    looked = json.loads(later.run(kept.settings.home, "doctor", "--json", **environment(kept)))
    (metadata,) = (each["found"] for each in looked if each["about"] == "metadata")
    assert "made by Airtally 0.1.0, opened by 9.9.9" in metadata
    for command in (("account", "list"), ("doctor",)):
        said = TODAY.run(kept.settings.home, *command, status=1, **environment(kept))
        assert named in said
        assert "restore the backup" in said
        assert "Traceback" not in said


def test_a_later_release_reads_and_takes_rows_of_its_new_column(kept, tmp_path):
    later = later_release(tmp_path / "later", adds_a_stream_column, adds_a_metadata_column)
    with later.serving(kept.settings.home, **environment(kept)) as (url, _):
        before = count(url)
        row = PLAY | {"campaign": "spring"}
        answer = httpx.post(f"{url}/api/v1/streams/playlogs/events", json=row, headers=ACME)
        assert answer.json()["accepted"] == 1
        question = {"stream": "playlogs", "dimensions": ["campaign"]}
        rows = httpx.post(f"{url}/api/v1/query", json=question, headers=ACME, timeout=30).json()["rows"]
        assert sorted((row["campaign"] or "", row["count"]) for row in rows) == [("", before), ("spring", 1)]


def test_side_by_side_the_older_one_stops_with_words_and_nothing_is_lost(kept, tmp_path):
    """What it acknowledged last is in its buffer; the newer one counts it, and adopts it once it is gone."""
    later = later_release(tmp_path / "later", adds_a_stream_column)
    with TODAY.serving(kept.settings.home, **environment(kept)) as (old_url, old), ThreadPoolExecutor(1) as pool:
        before = count(old_url)
        sent = pool.submit(send_until_it_is_gone, old_url)
        with later.serving(kept.settings.home, **environment(kept)) as (new_url, _):
            assert old.wait(60) == 1
            assert old.stderr
            said = old.stderr.read()
            assert "Airtally 9.9.9 has changed this home: stream playlogs has version 99" in said
            assert sent.result(10) > 0
            assert count(new_url) - before in {sent.result(), sent.result() + 1}  # the last answer may be cut off


def send_until_it_is_gone(url: str) -> int:
    """How many rows were acknowledged."""
    sent = 0
    with httpx.Client(headers=ACME, timeout=30) as http:
        while True:
            try:
                sent += http.post(f"{url}/api/v1/streams/playlogs/events", json=PLAY).status_code == 200
            except httpx.TransportError:
                return sent
