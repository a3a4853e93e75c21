"""The documents of the vendors' wires: valid, complete, and true of the routes there are."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import httpx
import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from airtally.vendors.apis import APIS
from fixtures.operations import declared_pages

PAGES = Path(__file__).parents[3] / "docs" / "vendors"
NAMES = [api.name for api in APIS]
METHODS = {"get", "head", "post", "put", "patch", "delete", "options"}
#: Routes that are in no document, and why.
UNDESCRIBED = {
    ("GET", "/"): "a page of the console",
    ("GET", "/login"): "a page of the console",
    ("POST", "/login"): "a form of the console",
    ("POST", "/logout"): "a form of the console",
    ("GET", "/setup"): "a page of the console",
    ("POST", "/setup"): "a form of the console",
    ("GET", "/sign-in"): "a page of the console",
    ("POST", "/sign-in"): "a form of the console",
    ("GET", "/docs"): "the documentation",
    ("GET", "/docs/{name}"): "a page of the documentation",
    ("GET", "/assets/{name}"): "a file of the console's pages",
    ("GET", "/admin/reports_api.php"): "a page for people, behind the console's login",
} | dict.fromkeys(declared_pages(), "a page or a form of the console")


@pytest.fixture(scope="module")
def documents(api_server):
    """By the vendor's name."""
    return {name: httpx.get(f"{api_server.url}/api/v1/openapi/{name}.json").json() for name in NAMES}


def operations(document):
    for path, item in document["paths"].items():
        for method, found in item.items():
            assert method in METHODS
            yield method, path, found


@pytest.mark.parametrize("name", NAMES)
def test_it_is_valid(documents, name):
    assert list(OpenAPIV31SpecValidator(documents[name]).iter_errors()) == []


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_what_the_schemas_say(documents, name):
    """Those of failures are written by the encoders that serve them."""
    document = documents[name]
    checked = 0
    for _, path, found in operations(document):
        contents = [found.get("requestBody", {}).get("content", {})]
        contents += [each.get("content", {}) for each in found["responses"].values()]
        for media_type, each in ((kind, each) for content in contents for kind, each in content.items()):
            schema = each["schema"] | {"components": document["components"]}
            for example in each.get("examples", {}).values():
                jsonschema.Draft202012Validator(schema).validate(example["value"])
                checked += 1
            assert "examples" in each or "json" not in media_type, (path, media_type)
    assert checked >= 10


@pytest.mark.parametrize("name", NAMES)
def test_each_operation_has_a_name_and_a_section_of_the_page(documents, name):
    headings = set(re.findall(r"^## (\d+)\. ", (PAGES / f"{name}.md").read_text(), re.MULTILINE))
    found = [each for *_, each in operations(documents[name])]
    assert max(Counter(each["operationId"] for each in found).values()) == 1
    for each in found:
        assert each["summary"]
        [section] = re.findall(rf"docs/vendors/{name}\.md#(\d+)", each["description"])
        assert section in headings


@pytest.mark.parametrize("name", NAMES)
def test_each_page_of_the_docs_links_its_document(name):
    assert f"`GET /api/v1/openapi/{name}.json`" in (PAGES / f"{name}.md").read_text()


def served_routes(app):
    """(method, path) of every route, without what the framework answers by itself to OPTIONS and what is refused."""
    found = {("POST", "/api/v1/streams/{stream}/events")}
    for route in app._site.routes:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        for handler in route.route_handlers:
            if getattr(handler.fn, "__name__", "") not in {"options", "options_handler"}:
                found |= {(str(getattr(each, "value", each)), path) for each in handler.http_methods}
    return found


def described_routes(api_server):
    """How many documents each route is in."""
    found = Counter()
    native = httpx.get(f"{api_server.url}/api/v1/openapi.json").json()
    found.update((method.upper(), path) for path, item in native["paths"].items() for method in item)
    for api in APIS:
        each = {(one.method, one.served_at) for one in api.wire.operations}
        found.update(each | {("HEAD", one.served_at) for one in api.wire.operations if one.head})
    return found


def test_every_route_is_in_one_document_or_has_a_reason(api_server):
    """HEAD is said in general for the native API, and not at all for pages."""
    described = described_routes(api_server)
    served = served_routes(api_server.app)
    general = {each for each in served if each[0] == "HEAD" and ("GET", each[1]) in {*UNDESCRIBED, *described}}
    assert {each for each in served - set(described) - set(UNDESCRIBED) if each not in general} == set()
    assert set(described) - served == set()
    assert set(UNDESCRIBED) - served == set()
    assert set(described) & set(UNDESCRIBED) == set()
    assert {each for each, number in described.items() if number != 1} == set()


def test_the_list_has_every_document_and_the_native_one_leads_to_it(api_server):
    native = httpx.get(f"{api_server.url}/api/v1/openapi.json").json()
    listed = httpx.get(native["externalDocs"]["url"]).json()["items"]
    assert len(listed) == 1 + len(APIS)
    for each in listed:
        document = httpx.get(each["url"])
        assert document.status_code == 200
        assert document.json()["info"]["title"].startswith(each["title"])
        assert httpx.get(document.json()["externalDocs"]["url"]).status_code == 200


def test_another_name_has_no_document(api_server):
    answer = httpx.get(f"{api_server.url}/api/v1/openapi/nobody.json")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
