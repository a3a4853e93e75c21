"""The documentation as a site: built strictly, and served at `/docs` so that browsers load all of it and nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import importlib
import re
import shutil
import sys
from urllib.parse import urldefrag, urljoin

import httpx
import pytest
from hatchling.builders.wheel import WheelBuilder

from fixtures.docs_site import ROOT, SCRIPTS, build_site, docs_server

PAGE = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def unbuilt(tmp_path_factory):
    """A server's address, and the folder in which it looks for the site."""
    folder = tmp_path_factory.mktemp("docs")
    with docs_server(folder) as server:
        yield server.url, folder


@pytest.fixture(scope="module")
def built(unbuilt):
    """The same after `make docs`: the server's address, and the folder of the site."""
    url, folder = unbuilt
    missing = httpx.get(f"{url}/docs/", headers=PAGE)
    assert (missing.status_code, "Run `make docs`" in missing.text) == (404, True), missing.text
    build_site(folder)
    return url, folder / "site"


@pytest.fixture(scope="module")
def client(built):
    with httpx.Client(base_url=built[0]) as made:
        yield made


@pytest.fixture(scope="module")
def pages(built, client):
    """The answers to all pages, by their path below `/docs/`."""
    names = [each.relative_to(built[1]).as_posix() for each in sorted(built[1].rglob("*.html"))]
    return {name: client.get(f"/docs/{name}", headers=PAGE) for name in names}


def test_every_page_of_the_docs_is_served(pages):
    sources = {each.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for each in ROOT.glob("docs/**/*.md")}
    expected = {each.replace("README.html", "index.html") for each in sources}
    top = {
        "index.html",
        *(f"project/{name}.html" for name in ("ARCHITECTURE", "CHANGELOG", "CONTRIBUTING", "SECURITY")),
    }
    assert set(pages) ^ (expected | top) == set()
    told = {(each.status_code, each.headers["content-type"]) for each in pages.values()}
    assert told == {(200, "text/html; charset=utf-8")}


def policy_of(page):
    """Its Content-Security-Policy, as the sources of each kind."""
    directives = (each.split() for each in page.headers["content-security-policy"].split(";"))
    return {kind: set(sources) for kind, *sources in directives}


def test_browsers_run_each_inline_script_and_no_other(pages):
    """The one style is that of the search, which a browser showed to be that."""
    for name, page in pages.items():
        scripts = re.findall(r"<script(?![^>]*(?: src=|application/json))[^>]*>(.*?)</script>", page.text, re.DOTALL)
        hashes = {base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts}
        policy = policy_of(page)
        assert policy.pop("script-src") == {"'self'", *(f"'sha256-{each}'" for each in hashes)}, name
        assert scripts, name
        assert len(policy.pop("style-src") - {"'self'"}) == 1
        assert policy == {"default-src": {"'self'"}, "img-src": {"'self'", "data:"}, "form-action": {"'self'"}} | {
            kind: {"'none'"} for kind in ("object-src", "frame-ancestors", "base-uri")
        }
        assert re.findall(r"<style|<[^>]*\s(?:style|on[a-z]+)=", page.text) == [], name


def test_links_lead_to_files_of_the_site(client, pages):
    loaded = re.compile(r"""<(?:a|link|script|img)\b[^>]*?\s(?:href|src)=["']?([^\s"'>]+)""")
    targets = {
        (name, urljoin(f"/docs/{name}", each)) for name, page in pages.items() for each in loaded.findall(page.text)
    }
    anchors = {f"/docs/{name}": set(re.findall(r'\sid="?([^\s">]+)', page.text)) for name, page in pages.items()}
    assert len(targets) > 1000
    ours = {(name, *urldefrag(each)) for name, each in targets if not re.match(r"(https?|mailto):", each)}
    assert [each for each in ours if each[2] and each[2] not in anchors[each[1]]] == []
    others = {target for _, target, _ in ours} - set(anchors)
    assert {each: client.head(each).status_code for each in others if client.head(each).status_code != 200} == {}
    assert not re.findall(
        r"<(?:link|script|img)\b[^>]*(?:href|src)=[\"']?(?:https?:)?//", "".join(p.text for p in pages.values())
    )


def test_blocks_are_rendered_as_such(pages):
    """A fence that the builder does not know would be text, and a block of a list item must be indented by four."""
    code = re.compile(r"<code>.*?</code>", re.DOTALL)
    assert [name for name, page in pages.items() if "```" in code.sub("", page.text)] == []
    fenced, indented = (re.compile(each, re.MULTILINE | re.DOTALL) for each in (r"^```.*?^```$", r"^ {1,3}(?:\||```)"))
    sources = {each: fenced.sub("", each.read_text()) for each in ROOT.glob("docs/**/*.md")}
    assert [str(each) for each, text in sources.items() if indented.search(text)] == []


def test_the_start_and_folders_lead_to_their_first_page(client):
    ways = {
        "/docs": "index",
        "/docs/": "index",
        "/docs/guides/moving": "guides/moving/index",
        "/docs/guides/moving/": None,
    }
    for path, page in ways.items():
        answer = client.get(path)
        assert answer.status_code == 302
        assert answer.headers["location"] == f"/docs/{page or 'guides/moving/index'}.html"
        assert client.get(answer.headers["location"]).status_code == 200


def test_a_page_is_packed_for_whom_it_may_be(client):
    packed = client.get("/docs/index.html", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/docs/index.html", headers={"Accept-Encoding": "gzip;q=0"})
    assert (packed.headers["content-encoding"], "content-encoding" in plain.headers) == ("gzip", False)
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) * 2 < int(plain.headers["content-length"])
    assert {each.headers["vary"] for each in (packed, plain)} == {"Accept-Encoding"}


def test_a_known_page_is_not_sent_again(client):
    first = client.get("/docs/index.html")
    again = client.get("/docs/index.html", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert client.get("/docs/index.html", headers={"If-None-Match": 'W/"0"'}).status_code == 200
    assert first.headers["cache-control"] == "no-cache"
    (script,) = re.findall(r'src="?\.?/?(assets/javascripts/bundle[^\s">]+)', first.text)
    assert client.get(f"/docs/{script}").headers["cache-control"] == "public, max-age=31536000, immutable"


def test_head_has_the_length_of_the_page_and_other_methods_are_refused(client):
    page, head = client.get("/docs/index.html"), client.head("/docs/index.html")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == page.headers["content-length"]
    refused = client.post("/docs/index.html")
    assert (refused.status_code, "POST" in refused.headers["allow"]) == (405, False)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/docs/no-such.html",
            "/docs/site.json",
            "/docs/index.html.gz",
            "/docs/guides",
            "/docs/index.html/x",
            "/docsindex.html",
        ),
        *("/docs/../pyproject.toml", "/docs/%2e%2e/home/secret.key", "/docs/..%2fhome%2fsecret.key", "/docs/..%5chome"),
        *("/docs//etc/passwd", "/docs/%2fetc%2fpasswd", "/docs/./index.html", "/docs/index.html%00.png", "/docs/%ff"),
    ],
)
def test_what_is_not_of_the_site_is_not_found(built, path):
    url = httpx.URL(built[0])
    connection = http.client.HTTPConnection(url.host, url.port, timeout=30)  # sends the path as it stands
    connection.request("GET", path, headers=PAGE)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert (answer.status, "<h1>Not Found</h1>" in text) == (404, True), text


@pytest.fixture
def scripts(monkeypatch):
    """The modules of scripts/docs_site, which need nothing but Python."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield importlib.import_module("sources"), importlib.import_module("publish")
    for name in ("sources", "publish"):
        sys.modules.pop(name)


@pytest.mark.parametrize(
    "part",
    [
        '<p style="color: red">',
        "<style>p {}</style>",
        '<a onclick="go()">',
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//cdn.example/x.css">',
    ],
)
def test_a_page_that_browsers_would_refuse_is_not_published(scripts, tmp_path, part):
    _, publish = scripts
    (tmp_path / "made").mkdir()
    (tmp_path / "made/index.html").write_text(f"<!doctype html><p>{part}</p>")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("the former one")
    with pytest.raises(publish.RefusedByBrowsers, match=r"index\.html"):
        publish.publish(tmp_path / "made", tmp_path / "site")
    assert (tmp_path / "site/index.html").read_text() == "the former one"


@pytest.mark.parametrize("style", ["'a{b:\\'c\\'}'", "`a{}`"])
def test_a_style_of_the_search_that_is_not_found_is_told(scripts, tmp_path, style):
    _, publish = scripts
    (tmp_path / "search.js").write_text(f'var Tc={style};add(C("style",{{}},Tc.toString()))')
    with pytest.raises(publish.RefusedByBrowsers, match=r"search\.js"):
        publish.publish(tmp_path, tmp_path / "site")


def test_a_published_site_replaces_the_former(scripts, tmp_path):
    _, publish = scripts
    for text in ("former", "later"):
        (tmp_path / "made").mkdir()
        (tmp_path / f"made/{text}.html").write_text(text)
        publish.publish(tmp_path / "made", tmp_path / "site")
        shutil.rmtree(tmp_path / "made")
    assert sorted(each.name for each in (tmp_path / "site").iterdir()) == ["later.html", "later.html.gz", "site.json"]
    assert gzip.decompress((tmp_path / "site/later.html.gz").read_bytes()) == b"later"
    assert [each.name for each in tmp_path.iterdir()] == ["site"]


def test_a_page_outside_the_navigation_is_refused(scripts, tmp_path, monkeypatch):
    sources, _ = scripts
    config = sources.CONFIG.read_text()
    monkeypatch.setattr(sources, "CONFIG", tmp_path / "mkdocs.yml")
    (tmp_path / "mkdocs.yml").write_text(config.replace("benchmarks.md", "benchmark.md"))
    wrong = r"not in the navigation: \['benchmarks\.md'\]; no such page: \['benchmark\.md'\]"
    with pytest.raises(sources.WrongSources, match=wrong):
        sources.write_sources(tmp_path / "site")


def test_the_wheel_has_the_site(tmp_path):
    """Although git ignores it."""
    for name in ("pyproject.toml", ".gitignore", "README.md"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    for name in ("__init__.py", "docs_site/index.html", "docs_site/assets/style.css", "__pycache__/x.pyc"):
        (tmp_path / "src/airtally" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src/airtally" / name).touch()
    found = {each.distribution_path for each in WheelBuilder(str(tmp_path)).recurse_included_files()}
    assert found == {"airtally/__init__.py", "airtally/docs_site/index.html", "airtally/docs_site/assets/style.css"}
