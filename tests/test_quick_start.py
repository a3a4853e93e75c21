"""docs/quick-start.md, followed to its end: its account, key and rows, and what it says is printed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx

from airtally.kit import logs
from airtally.settings import Settings
from fixtures.guide_pages import GuidePage, follow_page, read_page
from fixtures.server import LiveServer

PAGE = Path(__file__).parents[1] / "docs/quick-start.md"


def test_the_page_is_followed_to_its_end(tmp_path):
    logs.configure("error")  # the server and the commands are in this process
    page = read_page(PAGE)
    assert not page.missing
    server = LiveServer(Settings(home=tmp_path / "home")).start()
    known = {"AIRTALLY_HOME": str(tmp_path / "home"), "URL": server.url}
    try:
        (made,) = follow_page(GuidePage(steps=page.steps[:1]), tmp_path / "account", known)
        token = made.split()[-1]
        follow_page(GuidePage(page.files, page.steps[1:]), tmp_path / "rows", known | {"TOKEN": token})
        asked = httpx.get(f"{server.url}/api/v1/quarantine", headers={"Authorization": f"Bearer {token}"})
    finally:
        server.stop()
    assert [each["rows"] for each in asked.json()["items"]] == [1]


def test_a_user_of_the_page_can_be_made(tmp_path):
    """Its command asks for the password: here it is read from standard input."""
    steps = read_page(PAGE).steps[:1]
    (command,) = re.findall(r"^airtally user create .+$", PAGE.read_text(), re.MULTILINE)
    steps[0].shell += f"echo 'correct horse battery' | {command} --password-stdin --json\n"
    steps[0].printed = None
    (printed,) = follow_page(GuidePage(steps=steps), tmp_path / "page", {"AIRTALLY_HOME": str(tmp_path / "home")})
    made = json.loads(printed[printed.rindex("{") :])
    assert (made["username"], made["account"], made["role"]) == ("ana", "acme", "admin")
