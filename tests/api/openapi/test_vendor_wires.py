"""Calls drawn from the documents of the vendors' wires: no 5xx, and no answer outside the document."""

from __future__ import annotations

import copy

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from airtally.vendors.apis import APIS
from fixtures.wires import WIRES

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
QUICK = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
THOROUGH = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


def test_every_vendor_is_called():
    assert set(WIRES) == {api.name for api in APIS if api.wire}


def called(server, name, options):
    """Every operation, with known ids and credentials in some calls and with drawn ones in the others."""
    document = httpx.get(f"{server.url}/api/v1/openapi/{name}.json").json()
    wire, succeeded = WIRES[name](server), set()
    schema = schemathesis.openapi.from_dict(wire.drawn_from(copy.deepcopy(document)))
    for result in schema.get_all_operations():
        operation = result.ok()

        @options
        @given(case=operation.as_strategy(), known=st.booleans())
        def call(case, known):
            more = wire.prepared(case, known=known)
            response = case.call(base_url=server.url, timeout=60, allow_redirects=False, **more)
            case.validate_response(response, checks=CHECKS)
            if wire.is_success(response):
                succeeded.add(case.operation.definition.raw["operationId"])

        call()
    wire.close()
    all_operations = (each for item in document["paths"].values() for each in item.values())
    wanted = {each["operationId"] for each in all_operations if min(each["responses"]) < "400"}
    assert wanted - succeeded == set(), "never answered with success"


@pytest.mark.parametrize("name", WIRES)
def test_each_operation(api_server, name):
    called(api_server, name, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", WIRES)
def test_each_operation_thoroughly(api_server, name):
    called(api_server, name, THOROUGH)
