"""The examples of docs/guides/contributing, each applied to a scratch copy of the package and used."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from airtally.database.migrate import HEAD
from fixtures.homes import RELEASES, unpacked
from fixtures.releases import TODAY, Release, later_release

GUIDES = Path(__file__).parents[1] / "docs/guides/contributing"
#: One file of a patch, within a block of a page.
PATCH = re.compile(r"^--- .+\n\+\+\+ (?:(?!^--- |^```)[^\n]*\n)+", re.MULTILINE)
GIT = shutil.which("git")
PLAY = '{"player_id": 1, "media_id": 2, "played_at": "2026-11-26T10:00:00", "campaign": "spring"}\n'


def patched(folder: Path, guide: str) -> Release:
    """The program with the example of a guide."""
    assert GIT, "git is not installed"
    release = later_release(folder / "src")
    found = PATCH.findall((GUIDES / guide).read_text())
    assert found, guide
    for each in map(counted_up, found):
        command = [GIT, "apply", "--verbose", "-"]
        applied = subprocess.run(command, cwd=folder, input=each, capture_output=True, text=True, check=False)
        assert applied.returncode == 0, applied.stderr
    return release


def counted_up(patch: str) -> str:
    """A migration follows on from the newest of now, which the guide need not name."""
    for written in re.findall(r'^-HEAD = "(\d+)"|^\+down_revision = "(\d+)"', patch, re.MULTILINE):
        before = "".join(written)
        patch = patch.replace(f"{int(before) + 1:04}", f"{int(HEAD) + 1:04}").replace(f'"{before}"', f'"{HEAD}"')
    return patch


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


def token_of(release, home):
    release.run(home, "account", "create", "--name", "acme")
    made = release.run(
        home,
        *["key", "create", "--account", "acme", "--for", "native", "--scope", "write", "--scope", "read", "--json"],
    )
    return {"Authorization": f"Bearer {json.loads(made)['token']}"}


def filled(release, home, tmp_path):
    """A home with one play; the headers of a key."""
    headers = token_of(release, home)
    (tmp_path / "plays.ndjson").write_text(PLAY)
    release.run(home, "ingest", "playlogs", str(tmp_path / "plays.ndjson"), "--account", "acme")
    return headers


def test_the_added_column_is_queried(tmp_path, home):
    release = patched(tmp_path, "column.md")
    headers = filled(release, home, tmp_path)
    with release.serving(home) as (url, _):
        question = {"stream": "playlogs", "dimensions": ["campaign"]}
        answer = httpx.post(f"{url}/api/v1/query", json=question, headers=headers, timeout=60)
    assert answer.json()["rows"] == [{"campaign": "spring", "count": 1}], answer.text


def test_the_added_stream_takes_rows_and_is_queried(tmp_path, home):
    release = patched(tmp_path, "stream.md")
    headers = token_of(release, home)
    with release.serving(home) as (url, _), httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        minutes = [(7, "2026-11-26T10:00:10Z"), (9, "2026-11-26T10:00:50Z"), (4, "2026-11-26T10:01:00Z"), (-1, "now")]
        rows = [{"door": "north", "time": time, "people": people} for people, time in minutes]
        sent = client.post("/api/v1/streams/door_counts/events", json=rows).json()
        assert (sent["accepted"], sent["rejected"]) == (3, 1)
        asked = {"stream": "door_counts", "metrics": [{"function": "sum", "column": "people"}], "dimensions": ["door"]}
        answer = client.post("/api/v1/query", json=asked)
    assert [list(row.values()) for row in answer.json()["rows"]] == [["north", 13]], answer.text


def test_the_added_rollup_answers_where_rows_have_left(tmp_path, home):
    release = patched(tmp_path, "rollup.md")
    headers = token_of(release, home)
    day = datetime.now(UTC).date() - timedelta(days=20)
    kinds = [("paid_click", "0.5"), ("paid_click", "0.25"), ("install", "-1")]
    rows = [{"ad_group_id": "A1", "time": f"{day}T10:00:00Z", "kind": kind, "spend": spend} for kind, spend in kinds]
    (tmp_path / "events.ndjson").write_text("".join(json.dumps(each) + "\n" for each in rows))
    release.run(home, "ingest", "ad_events", str(tmp_path / "events.ndjson"), "--account", "acme")
    made = json.loads(release.run(home, "lake", "rollups", "--stream", "ad_events", "--json"))
    assert {each["rollup"]: each["months_made"] for each in made} == {"ad_events_kinds": 1, "ad_events_quarter": 1}
    removed = release.run(home, "lake", "expire", "--stream", "ad_events", "--json", AIRTALLY_RETAIN_AD_EVENTS="7")
    assert json.loads(removed) == [{"stream": "ad_events", "rows_removed": 3}]
    asked = {
        "stream": "ad_events",
        "metrics": ["count", {"function": "sum", "column": "spend"}],
        "start": f"{day}T00:00:00Z",
    }
    with release.serving(home, AIRTALLY_RETAIN_AD_EVENTS="7") as (url, _):
        query = partial(httpx.post, f"{url}/api/v1/query", headers=headers, timeout=60)
        answer = query(json=asked | {"dimensions": ["kind"]})
        beyond = query(json=asked | {"dimensions": ["kind", "country"]})
    found = {row["kind"]: (row["count"], row["sum_spend"]) for row in answer.json()["rows"]}
    assert found == {"paid_click": (2, 750_000), "install": (1, -1_000_000)}, answer.text
    assert (beyond.status_code, beyond.json()["code"]) == (422, "rows_gone")


@pytest.fixture(params=["sqlite", "postgresql"])
def earlier(request, home):
    """A home of before, with the account `acme`, and what its programs are told of it."""
    if request.param == "postgresql":
        told = {"AIRTALLY_DATABASE": request.getfixturevalue("empty_postgres_url")}
        TODAY.run(home, "account", "create", "--name", "acme", **told)
        return home, told
    kept = unpacked(RELEASES[0], home)
    return kept.settings.home, {"AIRTALLY_SECRET_KEY": kept.settings.secret_key}


def test_the_changed_table_is_read_and_written(tmp_path, earlier):
    home, told = earlier
    release = patched(tmp_path / "later", "database.md")
    contact = ("account", "contact", "acme")
    assert json.loads(release.run(home, *contact, "--json", **told))["contact"] is None
    release.run(home, *contact, "ops@acme.example", **told)
    assert json.loads(release.run(home, *contact, "--json", **told))["contact"] == "ops@acme.example"
    assert "A newer Airtally has changed the metadata store" in TODAY.run(home, "account", "list", status=1, **told)


def test_the_added_vendor_answers(tmp_path, home):
    release = patched(tmp_path, "vendor-api.md")
    headers = token_of(release, home)
    with release.serving(home) as (url, _), httpx.Client(base_url=url, timeout=60) as client:
        sent = client.post(
            "/api/v1/streams/playlogs/events",
            json=[{"player_id": 1, "media_id": 2, "played_at": "2026-11-26T10:00:00"}],
            headers=headers,
        )
        assert sent.status_code < 300, sent.text
        assert client.get("/example/v1/plays", headers=headers).json() == {"plays": 1}
        refused, unknown = client.get("/example/v1/plays"), client.get("/example/v1/no-such")
        document = client.get("/api/v1/openapi/example.json").json()
    assert (refused.status_code, refused.json()) == (401, {"problem": "The token is missing or wrong"})
    assert (unknown.status_code, list(unknown.json())) == (404, ["problem"])
    assert list(document["paths"]) == ["/example/v1/plays"]


def test_the_added_setting_is_read_and_refused_in_words(tmp_path, home):
    release = patched(tmp_path, "setting.md")
    release.run(home, "account", "list", AIRTALLY_ANSWER_DAYS="7")
    said = release.run(home, "account", "list", status=1, AIRTALLY_ANSWER_DAYS="none")
    assert "AIRTALLY_ANSWER_DAYS='none' cannot be used: expected a whole number above 0" in said


def test_the_added_command_runs(tmp_path, home):
    release = patched(tmp_path, "command.md")
    release.run(home, "account", "create", "--name", "acme", "--timezone", "Asia/Kathmandu")
    assert json.loads(release.run(home, "zones", "--json")) == [{"slug": "acme", "zone": "Asia/Kathmandu"}]


def test_every_guide_is_listed_and_tried():
    names = {each.name for each in GUIDES.glob("*.md")} - {"README.md"}
    listed = set(re.findall(r"\]\(([\w-]+\.md)\)", (GUIDES / "README.md").read_text()))
    tried = set(re.findall(r'patched\(tmp_path(?: / "later")?, "([\w-]+\.md)"\)', Path(__file__).read_text()))
    assert names == listed == tried
