"""Jobs and reports of this machine's home, with no server beside the command."""

from __future__ import annotations

import gzip
from pathlib import Path

from fixtures.postgres import on_sqlite

pytestmark = on_sqlite


def test_a_report_that_nobody_builds_is_cancelled_and_begun_anew(run, tmp_path):
    run("account create --name Acme")
    plays = tmp_path / "plays.csv"
    plays.write_text("player_id,media_id,played_at\n" + "1,7,2026-10-01T08:00:00\n2,7,2026-10-01T08:00:00\n")
    run("ingest playlogs --account acme", str(plays))
    report = run("report create --account acme --start-date 2026-10-01 --end-date 2026-10-01 --media 7 --player 2")[
        "id"
    ]
    (job,) = run("job list --account acme --state ready")
    assert (job["kind"], job["subject"]) == ("report", str(report))
    assert run("job list --account acme --state done") == []
    assert run(f"job cancel {job['id']} --account acme")["state"] == "cancelled"
    assert run(f"report get {report} --account acme")["state"] == "cancelled"
    assert f"Report {report} is cancelled" in run(f"report download {report} --account acme --to {tmp_path / 'no'}")
    assert run(f"job retry {job['id']} --account acme")["state"] == "ready"
    (file,) = run(f"report download {report} --account acme --to {tmp_path / 'files'} --wait 60")
    assert b'"playerId":2' in gzip.decompress(Path(file["file"]).read_bytes()).replace(b" ", b"")
    assert run("job list --account acme --everywhere --limit 1")[0]["state"] == "done"
    run("account create --name Other")
    assert "There is no report" in run(f"report get {report} --account other")
    assert run("job list --account other") == []
