"""The served OpenAPI document: valid, complete, and true of the routes there are."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document(api_server):
    answer = httpx.get(f"{api_server.url}/api/v1/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def operations(document):
    for path, item in document["paths"].items():
        for method, found in item.items():
            if method in METHODS:
                yield method, path, found


def test_it_is_valid(document):
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_is_in_it_and_nothing_else(document, api_server):
    served = {("post", "/api/v1/streams/{stream}/events"), ("get", "/healthz"), ("get", "/readyz"), ("get", "/metrics")}
    for route in api_server.app._site.routes:
        path = re.sub(r"\{(\w+):\w+\}", r"{\1}", route.path)
        if path == "/api/v1" or path.startswith("/api/v1/"):
            served |= {(method.lower(), path) for method in route.methods if method not in {"OPTIONS", "HEAD"}}
    assert {(method, path) for method, path, _ in operations(document)} == served


def test_operations_have_names_of_their_own(document):
    names = [found["operationId"] for *_, found in operations(document)]
    assert len(names) == len(set(names))


def test_examples_are_what_the_schemas_say(document):
    checked = 0
    for *_, found in operations(document):
        contents = [found.get("requestBody", {}).get("content", {})]
        contents += [each.get("content", {}) for each in found["responses"].values()]
        for content in contents:
            for each in content.values():
                if "example" in each and each.get("schema"):
                    schema = each["schema"] | {"components": document["components"]}
                    jsonschema.Draft202012Validator(schema).validate(each["example"])
                    checked += 1
    assert checked > 10


def test_the_index_leads_to_it_without_a_key(api_server):
    index = httpx.get(f"{api_server.url}/api/v1")
    assert index.status_code == 200
    assert httpx.get(f"{api_server.url}/api/v1/").json() == index.json()
    paths = {name: urlsplit(index.json()[name]).path for name in ("openapi", "documents", "me")}
    found = {name: httpx.get(f"{api_server.url}{path}") for name, path in paths.items()}
    assert {name: answer.status_code for name, answer in found.items()} == {"openapi": 200, "documents": 200, "me": 401}
    assert found["openapi"].json()["info"]["version"] == index.json()["version"]
    assert (Path(__file__).parents[3] / index.json()["docs"]).is_file()
    assert httpx.post(f"{api_server.url}/api/v1").status_code == 405


def test_a_known_document_is_not_sent_again(api_server):
    first = httpx.get(f"{api_server.url}/api/v1/openapi.json")
    again = httpx.get(f"{api_server.url}/api/v1/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
