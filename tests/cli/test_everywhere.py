"""Every command, on another server and on this machine's home beside it: both do the same, or one refuses in words."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from airtally.cli.program import app
from airtally.reference import commands
from cli.conftest import PASSWORD
from fixtures.postgres import on_sqlite

#: What starts a process on this machine, or copies its home.
MACHINE_ALONE = {"serve", "worker", "demo", "backup", "restore"}
#: What is for a server elsewhere alone; tests/cli/test_remote.py has it.
ELSEWHERE_ALONE = {"user token"}
EVERYWHERE = {name for name, _ in commands(app)} - MACHINE_ALONE - ELSEWHERE_ALONE | {"erase"}


class Scenario:
    """Calls every command about one account, each when there is something for it; `said` is what they print."""

    def __init__(self, call, slug, folder):
        self.said = {}
        self._call, self._slug, self._folder = call, slug, folder

    def step(self, command, rest="", *more, name=None, **options):
        said = self._call(f"{command} {rest.format(slug=self._slug)}", *more, **options)
        self.said[name or command] = said
        return said

    def all(self):
        self.people()
        self.rows()
        self.records()
        self.lake()
        self.questions()
        self.reports()
        self.work()
        self.end()
        return self.said

    def people(self):
        self.step("account create", "--slug {slug} --name Somebody")
        self.step("account list")
        self.step(
            "user create",
            "--account {slug} --username u-{slug} --email u@x.org --name U --password-stdin",
            stdin=PASSWORD,
        )
        self.step("user list", "--account {slug}")
        self.step("user password", "--username u-{slug} --password-stdin", stdin=PASSWORD, as_json=False)
        self.step("user change", "--username u-{slug} --role admin", as_json=False)
        self.step("user sign-in-link", "u-{slug}")
        self.step("user delete", "--username u-{slug}", as_json=False)
        client = self.step("key create", "--account {slug} --for slate --name Partner")["client_id"]
        (listed,) = self.step("key list", "--account {slug}")
        key = listed["id"]
        assert listed["name"] == "Partner"
        self.step("slate account create", "--account {slug} --name North")
        self.step("slate group create", "--account {slug} --id g")
        self.step("slate business create", "--account {slug} --group g --business b --name B")
        self.step("slate code create", f"--account {{slug}} --client {client} --redirect-uri https://app.example/back")
        self.step("key revoke", f"{key} --account {{slug}}", as_json=False)
        self.step("connect", "slate --account {slug}")
        self.step("slate account list", "--account {slug}")
        self.step("slate group list", "--account {slug}")
        self.step("slate business list", "--account {slug}")
        self.step("audit", "--account {slug} --limit 3")
        self.step("call", "GET /me --account {slug}", as_json=False)

    def rows(self):
        good, mixed = self._folder / f"{self._slug}.csv", self._folder / f"{self._slug}.ndjson"
        good.write_text("player_id,media_id,played_at\n" + "1,7,2026-10-01T08:00:00\n" * 5)
        mixed.write_text('{"player_id": 2, "media_id": 8, "played_at": "2026-10-02T08:00:00"}\n{"player_id": "x"}\n')
        loaded = self.step("ingest", "playlogs --account {slug}", str(good))
        assert [(each["accepted"], each["rejected"]) for each in loaded] == [(5, 0)]
        self.step("ingest", "playlogs --account {slug}", str(mixed), name="ingest with a wrong row")
        entry = self.step("quarantine list", "--account {slug}")[0]["id"]
        self.step("quarantine show", f"{entry} --account {{slug}}")
        self.step("quarantine resend", f"{entry} --account {{slug}}")
        left = self.step("quarantine list", "--account {slug}")[0]["id"]
        self.step("quarantine drop", f"{left} --account {{slug}}", as_json=False)

    def records(self):
        self.step("stream list", "--account {slug}")
        for name in ("Lobby", "Hall"):
            self.step("record put", "players 7 --account {slug} --values", json.dumps({"name": name}))
        assert self.step("record get", "players 7 --account {slug}")["values"]["name"] == "Hall"
        assert len(self.step("record versions", "players 7 --account {slug}")) == 2
        assert len(self.step("record list", "players --account {slug} --key 7")) == 1
        self.step("record delete", "players 7 --account {slug}", as_json=False)
        assert self.step("record list", "players --account {slug}", name="record list of none") == []

    def lake(self):
        self.step("lake compact", "--stream playlogs")
        self.step("lake expire", "--stream playlogs")
        self.step("lake rollups", "--stream ad_events --rebuild")
        self.step("lake status", "--stream playlogs")
        self.step("lake missing", "--stream playlogs")
        assert isinstance(self.step("lake writers"), list)
        self.step("lake give-up", "nobody", as_json=False)
        self.step("dataset publish", "--account {slug}")
        self.step("usage", "--account {slug}")
        self.step("usage", name="usage of all")
        self.step("doctor")

    def questions(self):
        asked = self.step("query", "playlogs --account {slug} --by player_id --order -count --metric count")
        assert asked["rows"] == [{"player_id": 1, "count": 5}, {"player_id": 2, "count": 1}]
        self.step("sql", "--account {slug}", "SELECT count(*) AS n FROM playlogs")
        export = self.step("export create", "--account {slug} --rows playlogs --wait 300")
        assert (export["state"], export["rows"]) == ("done", 6)
        counted = self.step(
            "export create",
            "--account {slug} --wait 300 --sql",
            "SELECT count(*) AS n FROM playlogs",
            name="export sql",
        )
        assert (counted["state"], counted["rows"]) == ("done", 1)
        self.step("export list", "--account {slug}")
        self.step("export get", f"{export['id']} --account {{slug}}")
        self.step("export download", f"{export['id']} --account {{slug}} --to {self._folder}/parts-{{slug}}")
        self.step("export delete", f"{export['id']} --account {{slug}}", as_json=False)

    def reports(self):
        asked = "--account {slug} --start-date 2026-10-01 --end-date 2026-10-02"
        report = self.step("report create", f"{asked} --player 1 --wait 300")
        assert (report["state"], report["rows"]) == ("success", 5)
        self.step("report list", "--account {slug}")
        self.step("report get", f"{report['id']} --account {{slug}}")
        (file,) = self.step("report download", f"{report['id']} --account {{slug}} --to {self._folder}/report-{{slug}}")
        assert len(gzip.decompress(Path(file["file"]).read_bytes()).splitlines()) == 5
        job = next(each["id"] for each in self.step("job list", "--account {slug} --state done --kind report"))
        self.step("job get", f"{job} --account {{slug}}")
        self.step("job cancel", f"{job} --account {{slug}}")
        self.step("job retry", f"{job} --account {{slug}}")
        self.step("report delete", f"{report['id']} --account {{slug}}", as_json=False)

    def work(self):
        asked = {"rows": {"stream": "playlogs", "range": "yesterday"}}
        schedule = self.step(
            "schedule create", "--account {slug} --name Daily --export", json.dumps(asked), "--cron", "0 6 * * *"
        )["id"]
        self.step("schedule list", "--account {slug}")
        self.step("schedule get", f"{schedule} --account {{slug}}")
        self.step("schedule change", f"{schedule} --account {{slug}} --name Early")
        self.step("schedule pause", f"{schedule} --account {{slug}}")
        self.step("schedule resume", f"{schedule} --account {{slug}}")
        self.step("schedule run", f"{schedule} --account {{slug}}")
        self.step("schedule runs", f"{schedule} --account {{slug}}")
        self.step("schedule delete", f"{schedule} --account {{slug}}", as_json=False)
        webhook = self.step("webhook create", "--account {slug} --url https://hooks.example/x --event ping")["id"]
        self.step("webhook list", "--account {slug}")
        self.step("webhook get", f"{webhook} --account {{slug}}")
        self.step("webhook change", f"{webhook} --account {{slug}} --disable")
        self.step("webhook rotate", f"{webhook} --account {{slug}}")
        self.step("webhook ping", f"{webhook} --account {{slug}}")
        self.step("webhook deliveries", "--account {slug}")
        self.step("webhook redeliver", "987654 --account {slug}")
        self.step("webhook delete", f"{webhook} --account {{slug}}", as_json=False)
        silent = {"kind": "silent_stream", "stream": "playlogs", "after_seconds": 3600}
        alarm = self.step("alarm create", "--account {slug} --name Silence --condition", json.dumps(silent))["id"]
        self.step("alarm list", "--account {slug}")
        self.step("alarm get", f"{alarm} --account {{slug}}")
        self.step("alarm change", f"{alarm} --account {{slug}} --name Quiet")
        self.step("alarm delete", f"{alarm} --account {{slug}}", as_json=False)
        self.step("delivery list", "--account {slug}")
        self.step("delivery redeliver", "987654 --account {slug}")

    def end(self):
        self.step("erase", "--account {slug} --user-id ann --preview", name="erase with a preview")
        done = self.step("erase", "--account {slug} --user-id ann --wait 300")
        self.step("erase list", "--account {slug}")
        self.step("erase show", f"{done['id']} --account {{slug}}")
        self.step("account close", "{slug} --days 3")
        self.step("account export", f"{{slug}} --wait 300 --to {self._folder}/all-{{slug}}")
        self.step("account reopen", "{slug}")
        self.step("account deletion", "{slug}")
        self.step("account delete", "{slug} --yes --wait 300")


def alike(one, other):
    """Whether two answers have the same form: names of members and words, whatever the figures and times are."""
    if isinstance(one, dict) and isinstance(other, dict):
        shared = one.keys() - {"details", "findings"}
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in shared)
    if isinstance(one, list) and isinstance(other, list):
        return not one or not other or alike(one[-1], other[-1])
    if isinstance(one, str) and isinstance(other, str) and "airtally: " in one:
        return words(one) == words(other)
    return not isinstance(one, dict | list) and not isinstance(other, dict | list)


def words(said):
    return re.sub(r"[0-9]+|far|near", "N", said.splitlines()[-1].split(" (")[0])


@on_sqlite
def test_every_command_does_the_same_elsewhere_and_here(run, site, tmp_path):
    elsewhere, here = Scenario(site, "far", tmp_path).all(), Scenario(run, "near", tmp_path).all()
    assert set(elsewhere) >= EVERYWHERE, "each command has a step"
    for command, said in elsewhere.items():
        assert alike(said, here[command]), (command, said, here[command])


@on_sqlite
@pytest.mark.parametrize("command", sorted(MACHINE_ALONE))
def test_what_is_for_the_machine_alone_says_so(run, command):
    place = " copy" if command in {"backup", "restore"} else ""
    said = run(f"--url http://127.0.0.1:1 --token x {command}{place}", as_json=False)
    assert "works on the home of this machine only" in said
