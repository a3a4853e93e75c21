"""Programs as their users run them; only host and key are changed."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import requests

from fixtures.insights import Advertiser

PROGRAMS = Path(__file__).parent / "programs"
YESTERDAY = {
    "US": {
        "paid_clicks": [[1795219200, 12]],
        "global_renders": [[1795219200, 60]],
        "global_conversions": [[1795219200, 5]],
        "installs_spend": [[1795219200, -15.75]],
    }
}


def run(interpreter: str, *words: str) -> str:
    """What the program prints. It ends by itself and says nothing on stderr."""
    if shutil.which(interpreter) is None:
        pytest.skip(f"{interpreter} is not installed (a Debian package)")
    ended = subprocess.run([interpreter, *words], capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout
    return ended.stdout


def test_row_09_the_ruby_script_of_the_vendors_page(network: Advertiser) -> None:
    words = ("127.0.0.1", str(network.server.port), network.key, "A1")
    printed = run("ruby", str(PROGRAMS / "insights.rb"), *words)
    assert json.loads(printed)["data"]["A1"]["insights"] == YESTERDAY


@pytest.mark.parametrize("method", ["post", "custom"])
def test_row_13_a_spend_importer_in_php(network: Advertiser, method: str) -> None:
    words = (network.server.url, network.key, "A1", "2026-11-20", method)
    printed = run("php", str(PROGRAMS / "spend.php"), *words)
    assert json.loads(printed) == {"US": ["12.5", 4, 10], "CA": ["2.25", 1, 3]}


def test_row_05_curl(network: Advertiser) -> None:
    words = ("-sS", "-i", "-X", "POST", "-H", f"Authorization: Basic {network.key}", "--max-time", "10")
    printed = run("curl", *words, f"{network.server.url}//v1/oauth2/token")
    assert printed.startswith("HTTP/1.1 200 ")
    assert '"token_type":"bearer"' in printed


def test_row_02_curl_with_the_key_as_a_user(network: Advertiser) -> None:
    words = ("-sS", "-X", "POST", "-u", f"{network.key}:", "--max-time", "10")
    printed = run("curl", *words, f"{network.server.url}/v1/oauth2/token")
    assert json.loads(printed)["token_type"] == "bearer"


def test_row_17_python_requests_encodes_times(network: Advertiser) -> None:
    with requests.Session() as session:
        answer = session.post(
            f"{network.server.url}/v1/oauth2/token", headers={"Authorization": f"Basic {network.key}"}, timeout=20
        )
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        start = datetime(2026, 11, 20, 8, tzinfo=timezone(timedelta(hours=8)))
        params = {"start_time": start.isoformat(), "end_time": (start + timedelta(days=1)).isoformat()}
        found = session.get(f"{network.server.url}/v1/ad_groups/A1/insights", params=params, timeout=120)
        assert "%2B08%3A00" in found.url
        assert found.json()["data"]["A1"]["insights"]["paid_clicks"] == [[1795132800, 13]]


def test_a_client_that_asks_for_a_token_per_call_and_one_that_drops_it_after_a_401(network: Advertiser) -> None:
    for group in ("A1", "A2", "A3"):
        assert network.get(group, token=network.new_token()).status_code == 200
    assert network.get(token=network.old_token).status_code == 401
    assert network.get(token=network.new_token()).status_code == 200
