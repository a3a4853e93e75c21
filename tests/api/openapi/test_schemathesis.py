"""Calls drawn from the OpenAPI document, one by one and in chains: no 5xx, and no answer outside the document."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from airtally.accounts.permissions import UserRole
from airtally.settings import Settings
from fixtures.openapi_checks import CHECKS
from fixtures.server import LiveServer

QUICK = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), stateful_step_count=6
)
THOROUGH = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), stateful_step_count=20)


class Site:
    """A server, and an operator of another account than the one that the calls are about, whose token stays valid."""

    def __init__(self, home):
        self.server = LiveServer(Settings(home=home, rate_limits=False, body_max=1 << 20)).start()
        access = self.server.services.access
        account = access.accounts.create("Operators", "operators")
        user = access.users.create(
            account, username="op", name="Op", email="op@x.org", password="long enough", role=UserRole.OPERATOR
        )
        access.accounts.create("Target", "target")
        self.headers = {
            "Authorization": f"Bearer {access.keys.create(account, 'native', user=user).credentials['token']}",
            "Airtally-Account": "target",
        }
        self.schema = schemathesis.openapi.from_url(f"{self.server.url}/api/v1/openapi.json")

    def check(self, case):
        """Anybody may call what needs no permission; all else is called by the operator."""
        case.call_and_validate(headers=self.headers, checks=CHECKS, timeout=60)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("schemathesis") / "home")
    yield site
    site.server.stop()


def drawn(site, options):
    for result in site.schema.get_all_operations():
        operation = result.ok()

        @options
        @schemathesis_given(operation)
        def call(case):
            site.check(case)

        call()


def schemathesis_given(operation):
    from hypothesis import given

    return given(case=operation.as_strategy())


def test_each_operation(site):
    drawn(site, QUICK)


@pytest.mark.slow
def test_each_operation_thoroughly(site):
    drawn(site, THOROUGH)


def chained(site, options):
    machine = site.schema.as_state_machine()

    class Chain(machine):
        def get_call_kwargs(self, _):
            return {"headers": site.headers, "timeout": 60}

        def validate_response(self, response, case, **_):
            case.validate_response(response, checks=CHECKS)

    Chain.run(settings=options)


@pytest.mark.slow
@pytest.mark.long
def test_chains_of_operations(site):
    """Not in CI: a chain changes the server, so that hypothesis may call its own repetition of it flaky."""
    chained(site, QUICK)


@pytest.mark.slow
@pytest.mark.long
def test_long_chains_of_operations(site):
    chained(site, THOROUGH)
