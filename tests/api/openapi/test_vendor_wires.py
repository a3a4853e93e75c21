"""Calls drawn from the documents of the vendors' wires: no 5xx, and no answer outside the document."""

from __future__ import annotations

import copy
import itertools
import re
from collections import defaultdict
from contextlib import closing

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from airtally.vendors.apis import APIS
from fixtures.openapi_checks import CHECKS
from fixtures.wires import WIRES

ALL_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
QUICK = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
THOROUGH = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def test_every_vendor_is_called():
    assert set(WIRES) == {api.name for api in APIS}


#: Calls with ids that exist, with drawn ones, and with values that the document does not allow.
KINDS = ((True, GenerationMode.POSITIVE), (False, GenerationMode.POSITIVE), (False, GenerationMode.NEGATIVE))


def call_operation(wire, url, operation, kind, options):
    """Whether any of the calls succeeded."""
    known, mode = kind
    successes = []

    @options
    @given(case=operation.as_strategy(generation_mode=mode))
    def call(case):
        more = wire.prepared(case, known=known)
        response = case.call(base_url=url, timeout=60, allow_redirects=False, **more)
        case.validate_response(response, checks=CHECKS)
        successes.append(wire.is_success(response))

    call()
    return any(successes)


def check_wire(server, name, options, kinds):
    document = httpx.get(f"{server.url}/api/v1/openapi/{name}.json").json()
    all_operations = (each for item in document["paths"].values() for each in item.values())
    missing = {each["operationId"] for each in all_operations if min(each["responses"]) < "400"}
    with closing(WIRES[name](server)) as wire:
        schema = schemathesis.openapi.from_dict(wire.drawn_from(copy.deepcopy(document)))
        for result, kind in itertools.product(schema.get_all_operations(), kinds):
            operation = result.ok()
            takes_nothing = not operation.body and not operation.query
            if kind[1] is GenerationMode.NEGATIVE and takes_nothing:
                continue
            if call_operation(wire, server.url, operation, kind, options):
                missing.discard(operation.definition.raw["operationId"])
    assert missing == set(), "these were never answered with success"


@pytest.mark.parametrize("name", WIRES)
def test_each_operation(api_server, name):
    check_wire(api_server, name, QUICK, KINDS[:2])


@pytest.mark.parametrize("api", APIS, ids=[api.name for api in APIS])
def test_other_methods_are_refused(api_server, api):
    """The answer names the methods of the document. OPTIONS of files is the framework's answer."""
    described, paths = defaultdict(set), {}
    for each in api.wire.operations:
        described[each.served_at] |= {each.method} | ({"HEAD", "OPTIONS"} if each.head else set())
        paths.setdefault(each.served_at, re.sub(r"\{\w+\}", "x1", each.path))
    with httpx.Client(base_url=api_server.url, timeout=60) as client:
        for at, methods in described.items():
            for method in ALL_METHODS - methods:
                answer = client.request(method, paths[at])
                allowed = set(answer.headers["Allow"].split(", "))
                assert (answer.status_code, allowed - {"OPTIONS"}) == (405, methods - {"OPTIONS"}), (method, at)


@pytest.mark.slow
@pytest.mark.parametrize("name", WIRES)
def test_each_operation_thoroughly(api_server, name):
    check_wire(api_server, name, THOROUGH, KINDS)
