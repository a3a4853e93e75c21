"""The examples of docs/guides/contributing, each applied to a scratch copy of the package and used."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from fixtures.releases import Release, later_release

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
    for each in found:
        command = [GIT, "apply", "--verbose", "-"]
        applied = subprocess.run(command, cwd=folder, input=each, capture_output=True, text=True, check=False)
        assert applied.returncode == 0, applied.stderr
    return release


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
    assert (refused.status_code, refused.json()) == (401, {"problem": "The token is missing or wrong"})
    assert (unknown.status_code, list(unknown.json())) == (404, ["problem"])


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
    tried = set(re.findall(r'patched\(tmp_path, "([\w-]+\.md)"\)', Path(__file__).read_text()))
    assert names == listed == tried
