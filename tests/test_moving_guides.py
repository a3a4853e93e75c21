"""docs/guides/moving: each page is followed to its end, on the server's machine and from elsewhere.

Not run are the lines for clients that no Python package brings: gomoob/php-pushwoosh, ruby-scaleengine, adtekio_adnetworks,
makcyd/pushwoosh_api, the Go, Perl and Node programs, the web SDK and Fivetran's connector. Blocks of PHP and Ruby that a
page has as files are run where scripts/interpreters could install those languages.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from airtally.kit import logs
from airtally.settings import Settings
from airtally.vendors.apis import APIS
from fixtures.guide_pages import GuidePage, GuideStep, follow_page, read_page
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


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`HOST` of a server with the certificate that the index page makes, and `CA`, the file of its authority."""
    folder, index = tmp_path_factory.mktemp("tls"), read_page(GUIDES / "README.md")
    if index.missing:
        pytest.skip(f"not installed: {', '.join(index.missing)}")
    follow_page(GuidePage(steps=index.steps[2:]), folder / "index", {"NAME": "localhost"})
    server = LiveServer(Settings(home=folder / "home", rate_limits=False))
    server.use_tls(folder / "index/server.pem", folder / "index/server.key")
    server.start()
    yield {"HOST": f"localhost:{server.port}", "CA": str(folder / "index/ca.pem")}
    server.stop()


#: Calls of a method that is not here, each as the index says that its client comes to trust the server.
TRUSTING = {
    "curl": 'curl -sS --cacert "$CA" "https://$HOST/json/1.3/createMessage" -d "{}"',
    "node": """NODE_EXTRA_CA_CERTS="$CA" node -e 'fetch(`https://${process.env.HOST}/json/1.3/createMessage`,
        { method: "POST", body: "{}" }).then(answer => answer.text()).then(console.log)'""",
    "php": """php -d curl.cainfo="$CA" -r '$call = curl_init("https://" . getenv("HOST") . "/json/1.3/createMessage");
        curl_setopt($call, CURLOPT_POSTFIELDS, "{}"); curl_exec($call);'""",
    "python": 'SSL_CERT_FILE="$CA" python message.py',
    "requests": """REQUESTS_CA_BUNDLE="$CA" python -c 'import os, requests
address = "https://" + os.environ["HOST"] + "/json/1.3/createMessage"
print(requests.post(address, data="{}", timeout=30).text)'""",
    "ruby": """SSL_CERT_FILE="$CA" ruby -rnet/http -e 'address = URI("https://#{ENV["HOST"]}/json/1.3/createMessage")
        puts Net::HTTP.post(address, "{}").body'""",
}
MESSAGE = """{lines}
print(*pushwoosh.Pushwoosh("auth", "A1B2C-D3E4F").create_message([{{"text": "x"}}]))
"""


@pytest.mark.parametrize("client", TRUSTING)
def test_clients_trust_the_certificate_of_the_index(client: str, trusted: dict[str, str], tmp_path: Path) -> None:
    if client not in {"python", "requests"} and shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    *_, lines = re.findall(r"```python\n(.+?)```", (GUIDES / "pushwoosh.md").read_text(), re.DOTALL)
    message = MESSAGE.format(lines=lines.replace("push.example.com:8443", trusted["HOST"]))
    step = GuideStep(TRUSTING[client] + "\n", "…Method not found…")
    follow_page(GuidePage({"message.py": message}, [step]), tmp_path / "page", trusted)


def test_every_page_is_in_the_index() -> None:
    pages = {each.stem for each in GUIDES.glob("*.md")} - {"README"}
    listed = set(re.findall(r"\]\((\w+)\.md\)", (GUIDES / "README.md").read_text()))
    assert pages == listed == set(VENDORS)


@pytest.mark.parametrize(
    ("shell", "printed"), [("echo 12\n", "1\n"), ("airtally no-such\n", None), ("false | cat\n", None)]
)
def test_a_page_that_does_not_work_fails(shell: str, printed: str | None, tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        follow_page(GuidePage(steps=[GuideStep(shell, printed)]), tmp_path / "page", {})
