"""The fuzzer, small: what `make fuzz` does with new seeds and at every kind of server, here with one seed at one."""

from __future__ import annotations

import os
from itertools import chain
from pathlib import Path

import pytest

from fuzz import bodies, requests
from fuzz.findings import Finding
from fuzz.run import all_, ask, check_bodies, fuzzed_server, kept_bodies, kept_requests, today

SEED = int(os.environ.get("FUZZ_SEED", "8"))
COUNT = 2_000


def said(findings: list[Finding]) -> str:
    return "\n\n".join(each.told() for each in findings)


def test_no_request_breaks_the_server_or_shows_another_accounts_data(tmp_path: Path) -> None:
    with fuzzed_server(tmp_path) as server:
        cases = chain(kept_requests(), requests.drawn(SEED, range(COUNT), today()))
        outcome = ask(server, cases, connections=6, lenient=True)
    assert outcome.findings == [], said(outcome.findings)
    assert outcome.requests >= COUNT


def test_no_body_breaks_the_decoders_and_all_rows_are_counted() -> None:
    found = check_bodies(kept_bodies())
    outcome = bodies.run(today(), SEED, COUNT, children=1)
    assert [*found, *outcome.findings] == [], said([*found, *outcome.findings])
    assert outcome.came.total() == COUNT


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_whole_run() -> None:
    found = all_(100_000, 30_000, SEED)
    assert found == [], said(found)
