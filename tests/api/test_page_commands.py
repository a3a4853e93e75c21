"""docs/guides/ingest.md and docs/reference/openapi.md: their commands run in order, as they stand."""

from __future__ import annotations

import json
from pathlib import Path

from airtally.kit import logs
from fixtures.guide_pages import GuidePage, GuideStep, follow_page, read_page

DOCS = Path(__file__).parents[2] / "docs"
#: A file with a row that is refused, and a folder of packed ones.
FILES = """printf 'player_id,media_id,played_at\\n7,8,2026-11-01T08:00:00\\nnone,8,2026-11-01T08:00:15\\n' > plays.csv
mkdir logs
for day in 02 03; do
  echo "{\\"player_id\\": 7, \\"media_id\\": 8, \\"played_at\\": \\"2026-11-${day}T08:00:00\\"}" | gzip > logs/$day.ndjson.gz
done
"""


def test_rows_are_sent_and_refused_ones_kept(client, api_server, tmp_path):
    logs.configure("error")  # the server and the commands are in this process
    sent, *others = (step.shell for step in read_page(DOCS / "guides/ingest.md").steps)
    slug, home = client.account.slug, api_server.services.settings.home
    known = {"AIRTALLY_HOME": str(home), "URL": api_server.url, "TOKEN": client.token}
    follow_page(GuidePage(steps=[GuideStep(FILES + sent)]), tmp_path / "sent", known)
    (entry,) = api_server.services.intake.quarantine.entries(client.account)
    commands = [GuideStep(each.replace("acme", slug).replace(" 12 ", f" {entry.id} ")) for each in others]
    *_, quarantine = follow_page(GuidePage(steps=[GuideStep(FILES), *commands]), tmp_path / "others", known)
    assert "expected integer, got string" in quarantine
    assert client.count() == 3
    assert list(api_server.services.intake.quarantine.entries(client.account)) == []


def test_a_document_is_fetched(api_server, tmp_path):
    page = read_page(DOCS / "reference/openapi.md")
    (document,) = follow_page(page, tmp_path / "page", {"URL": api_server.url})
    assert "/v1/ad_groups/{ad_group_id}/insights" in json.loads(document)["paths"]
