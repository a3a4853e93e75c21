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

PAGES = Path(__file__).parents[3] / "docs" / "vendors"
NAMES = [api.name for api in APIS if api.wire]
METHODS = {"get", "head", "post", "put", "patch", "delete", "options"}


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


def test_the_list_has_every_document_and_the_native_one_leads_to_it(api_server):
    native = httpx.get(f"{api_server.url}/api/v1/openapi.json").json()
    listed = httpx.get(native["externalDocs"]["url"]).json()["items"]
    assert len(listed) == 1 + len(NAMES)
    for each in listed:
        document = httpx.get(each["url"])
        assert document.status_code == 200
        assert document.json()["info"]["title"].startswith(each["title"])
        assert httpx.get(document.json()["externalDocs"]["url"]).status_code == 200


def test_another_name_has_no_document(api_server):
    answer = httpx.get(f"{api_server.url}/api/v1/openapi/nobody.json")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
