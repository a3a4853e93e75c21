"""The clients there are: the page's sample program as it stands, and the older API's client as it behaves."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from airtally.kit.clock import MovableClock
from airtally.kit.errors import Unavailable
from airtally.kit.faults import Faults
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.services import slate_services
from fixtures.slate import ACCOUNTS, Partner, published
from fixtures.slate_script import script


class Away(Faults):
    away = False

    def reach(self, point: str) -> None:
        if self.away and point == "metadata.read":
            raise Unavailable("The metadata store does not answer")


def run(partner: Partner, folder: Path, token: str | None = None) -> str:
    """The program's output, with nothing but host and token replaced."""
    text = script(partner.server.url, token or partner.credentials["access_token"])
    ended = subprocess.run([sys.executable, "-"], input=text, cwd=folder, capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    return ended.stdout


def test_the_sample_program_advances_its_stored_time(own_partner: Callable[..., Partner], tmp_path: Path) -> None:
    faults = Away()
    partner = own_partner(static=True, faults=faults)
    partner.file("2026-11-22T08:00:00Z")
    stored = tmp_path / "last_call_time.txt"
    assert run(partner, tmp_path) == "Data fetched successfully.\n"
    first = datetime.fromisoformat(stored.read_text())
    faults.away = True
    assert run(partner, tmp_path).startswith("Error fetching data: 503 - ")
    faults.away = False
    assert run(partner, tmp_path, "Atza|another").startswith("Error fetching data: 401 - ")
    assert datetime.fromisoformat(stored.read_text()) == first
    assert run(partner, tmp_path) == "Data fetched successfully.\n"
    assert datetime.fromisoformat(stored.read_text()) > first + timedelta(0)


class OlderClient:
    """It refreshes once a run, asks for a count first, counts items itself, and opens each download as a ZIP."""

    def __init__(self, partner: Partner) -> None:
        self.url = partner.server.url
        self.state = dict(partner.credentials)

    def refresh(self) -> None:
        form = {name: self.state[name] for name in ("client_id", "client_secret", "refresh_token")}
        answer = requests.post(f"{self.url}/auth/o2/token", data=form | {"grant_type": "refresh_token"}, timeout=120)
        answer.raise_for_status()
        self.state["access_token"] = answer.json()["access_token"]
        self.state["refresh_token"] = answer.json()["refresh_token"]

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.state['access_token']}", "Content-Type": "application/json"}
        answer = requests.get(f"{self.url}{path}", headers=headers, params=params, timeout=120)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def items(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        if self.get(path, limit=1, offset=0, **params)["total"] == 0:
            return
        offset = 0
        while True:
            page = self.get(path, limit=2, offset=offset, **params)
            yield from page["data"]
            if not page["next"] or not page["data"]:
                return
            offset += 2

    def rows(self) -> Iterator[str]:
        since = {"startDateTime": "2026-11-20T00:00:00.000Z", "endDateTime": "2026-11-22T10:00:00.000Z"}
        for account in self.items(ACCOUNTS):
            for group in self.items(f"{ACCOUNTS}/{account['id']}"):
                for business in self.items(f"{ACCOUNTS}/{account['id']}/{group['id']}"):
                    business.get("territory", "")
                    path = f"{ACCOUNTS}/{account['id']}/{group['id']}/{business['id']}/datasets"
                    for dataset in self.items(path):
                        for file in self.items(f"{path}/{dataset['id']}", **since):
                            yield from self.lines(file["downloadUrl"])

    def lines(self, url: str) -> list[str]:
        answer = requests.get(url, timeout=120)
        assert answer.status_code == 200
        with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
            name = next(each for each in packed.namelist() if each.endswith(".csv"))
            return packed.read(name).decode().splitlines()[1:]


def zipped(text: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("rows.csv", text)
    return buffer.getvalue()


def test_the_older_client_collects_everything(own_partner: Callable[..., Partner], slate_clock: MovableClock) -> None:
    partner = own_partner(slate_offset_mode="item")
    new = NewBusiness(
        "zips", "z", "Zips", slate_account="123999", format="zip", datasets={"catalog": "a", "playback": "b"}
    )
    _, datasets = slate_services(partner.server.services).register.create_business(partner.account, new)
    for hour in range(5):
        for dataset in datasets:
            content = zipped(f"id\n{dataset.stream} {hour}\n")
            published(partner.server, partner.slug, dataset, f"2026-11-22T0{hour}:00:00Z", content)
    client = OlderClient(partner)
    for _ in range(2):
        slate_clock.advance(3600)
        client.refresh()
        found = list(client.rows())
        assert sorted(found) == sorted(f"{each.stream} {hour}" for each in datasets for hour in range(5))


@pytest.mark.parametrize("header", ["Content-Type", "Accept"])
def test_headers_that_say_json(partner: Partner, header: str) -> None:
    assert partner.http.get(ACCOUNTS, headers={header: "application/json"}).status_code == 200
