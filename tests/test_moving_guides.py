"""docs/guides/moving: each page is followed to its end, on the server's machine and from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airtally.kit import logs
from airtally.settings import Settings
from airtally.vendors.apis import APIS
from fixtures.guide_pages import GuidePage, follow_page, read_page
from fixtures.server import LiveServer

GUIDES = Path(__file__).parents[1] / "docs/guides/moving"
VENDORS = sorted(each.name for each in APIS)


@pytest.fixture(scope="module", params=["here", "elsewhere"])
def environment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Of a shell after the index page; elsewhere it knows a server and a token, but no home."""
    folder = tmp_path_factory.mktemp("moving")
    logs.configure("error")  # the server and the commands are in this process
    server = LiveServer(Settings(home=folder / "home", rate_limits=False)).start()
    here = {"AIRTALLY_HOME": str(folder / "home"), "URL": server.url}
    declared = GuidePage(steps=read_page(GUIDES / "README.md").steps[:2])
    *_, key = follow_page(declared, folder / "index", here)
    token = key.split()[-1]
    elsewhere = {"AIRTALLY_URL": server.url, "AIRTALLY_TOKEN": token, "URL": server.url}
    yield here if request.param == "here" else elsewhere
    server.stop()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_page_is_followed_to_its_end(vendor: str, environment: dict[str, str], tmp_path: Path) -> None:
    page = read_page(GUIDES / f"{vendor}.md")
    assert page.steps[-1].printed is not None, "a page ends with the figures of the client's call"
    follow_page(page, tmp_path / "page", environment)
    if page.missing:
        pytest.skip(f"the rest passed; not installed: {', '.join(sorted(page.missing))}")


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[LiveServer]:
    """With the certificate that the index page makes, in the folder `index`."""
    index = read_page(GUIDES / "README.md")
    if index.missing:
        pytest.skip(f"not installed: {', '.join(index.missing)}")
    follow_page(GuidePage(steps=index.steps[2:]), tmp_path / "index", {"NAME": "localhost"})
    server = LiveServer(Settings(home=tmp_path / "home", rate_limits=False))
    server.use_tls(tmp_path / "index/server.pem", tmp_path / "index/server.key")
    yield server.start()
    server.stop()


#: A call of a method that is not here, by which a client shows that it trusts the server.
ASKED = {
    "SSL_CERT_FILE": """{lines}
print(*pushwoosh.Pushwoosh("auth", "A1B2C-D3E4F").create_message([{{"text": "x"}}]))""",
    "REQUESTS_CA_BUNDLE": """import requests
answer = requests.post("https://{host}/json/1.3/createMessage", json={{"request": {{}}}}, timeout=30)
print(answer.status_code, answer.content)""",
}


@pytest.mark.parametrize("variable", ASKED)
def test_clients_trust_the_certificate_of_the_index(variable: str, tls_server: LiveServer, tmp_path: Path) -> None:
    host = f"localhost:{tls_server.port}"
    *_, lines = re.findall(r"```python\n(.+?)```", (GUIDES / "pushwoosh.md").read_text(), re.DOTALL)
    program = ASKED[variable].format(lines=lines.replace("push.example.com:8443", host), host=host)
    trusting = os.environ | {variable: str(tmp_path / "index/ca.pem")}
    done = subprocess.run([sys.executable, "-c", program], env=trusting, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 b'")
    assert "Method not found" in done.stdout


def test_every_page_is_in_the_index() -> None:
    pages = {each.stem for each in GUIDES.glob("*.md")} - {"README"}
    listed = set(re.findall(r"\]\((\w+)\.md\)", (GUIDES / "README.md").read_text()))
    assert pages == listed == set(VENDORS)
