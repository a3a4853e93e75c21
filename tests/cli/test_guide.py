"""docs/guides/command-line.md: its examples run as they stand, here and elsewhere."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cli.conftest import PASSWORD
from fixtures.postgres import on_sqlite

pytestmark = on_sqlite
PAGE = (Path(__file__).parents[2] / "docs/guides/command-line.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL) for line in block.splitlines()]
EXAMPLES = [line.removeprefix("airtally ") for line in LINES if line.startswith("airtally ") and '"$URL"' not in line]


@pytest.mark.parametrize("place", ["here", "elsewhere"])
def test_the_examples_run(run, site, tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    Path("plays.csv").write_text("player_id,media_id,played_at\n7,8,2026-11-01T08:00:00\n", encoding="utf-8")
    call = run if place == "here" else site
    said = {line: call("", *shlex.split(line), as_json=False) for line in EXAMPLES}
    failed = {line: words for line, words in said.items() if words.startswith("airtally: ")}
    assert not failed
    assert "7" in said["query playlogs --account acme --by player_id --metric count --order -count --limit 10"]
    assert Path("plays.parquet").read_bytes()[:4] == b"PAR1"
    assert len(list(Path("files").iterdir())) == 1


def test_a_token_is_had_with_a_password(run, site):
    [login] = [line for line in LINES if "user token" in line]
    command = login.replace('"$URL"', site.url).replace("ana", "op").removeprefix("airtally ").partition(" <")[0]
    token = run(command, stdin=PASSWORD)["token"]
    assert site("account list", token=token)[0]["slug"] == "acme"
