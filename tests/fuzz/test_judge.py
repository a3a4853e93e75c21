"""That the fuzzer would see a fault if there were one, and takes no good answer for one."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from fuzz import judge
from fuzz.case import Case
from fuzz.client import Answer
from fuzz.findings import kept
from fuzz.program import alarms
from fuzz.run import named
from fuzz.tenants import A, B
from fuzz.wire import Sent

JSON = {"content-type": "application/json"}
WHOLE = Sent((b"",))


def faults(
    answer: Answer, *, target: bytes = b"/v1/players", shows: tuple[str, ...] = ("a",), sent: Sent = WHOLE
) -> Any:
    return judge.faults(Case(b"GET", target, shows=list(shows)), sent, answer, (b"/srv/home",))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500, JSON, b"{}"),
        Answer(503, JSON, b"{}"),
        Answer(200, JSON, b'{"status":"failure","code":"0004"}'),
        Answer(200, JSON, b'{"status_code":500}'),
        Answer(200, JSON, b'{"a":NaN}'),
        Answer(200, JSON, b'{"a":1'),
        Answer(302, {"location": "/login"}),
        Answer(200, {}, b"Traceback (most recent call last)"),
        Answer(400, {}, b"No such file: /srv/home/lake"),
        Answer(200, {}, f"name,{B.mark}".encode()),
        Answer(200, {}, gzip.compress(B.mark.encode())),
        Answer(200, {}, b"", seconds=5.1),
        Answer(0),
    ],
)
def test_a_fault_is_found(answer: Answer) -> None:
    assert len(faults(answer)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, JSON, b'{"a":1}', 4.9),
        Answer(401, {}, b"no"),
        Answer(503, {"retry-after": "5"}),
        Answer(507, {"retry-after": "30"}),
        Answer(405, JSON, b'{"status":"failure","code":"0004"}'),
        Answer(200, {}, A.mark.encode()),
        Answer(304),
    ],
)
def test_a_good_answer_is_none(answer: Answer) -> None:
    assert faults(answer) == []


def test_the_marks_are_those_of_the_credentials_alone() -> None:
    answer = Answer(200, {}, f"{A.mark} {B.mark}".encode())
    assert len(faults(answer, shows=())) == 2
    assert faults(answer, shows=("a", "b")) == []


def test_half_a_request_needs_no_answer() -> None:
    assert faults(Answer(0), sent=Sent((b"",), complete=False)) == []


def test_the_log_is_read() -> None:
    trace = ["Traceback (most recent call last):", '  File "a.py", line 1, in f', "ValueError: x"]
    assert len(alarms(["uvicorn.error: Invalid HTTP request received."])) == 0
    assert len(alarms(['{"event":"request","level":"warning"}', "uvicorn.error: Exception", *trace])) == 1
    assert len(alarms(['{"event":"failed","level":"error"}', '{"event":"x","exception":"Traceback"}'])) == 2


@pytest.mark.parametrize("name", ["requests:2026-11-27:8:%d", "bodies:2026-11-27:8:%d"])
def test_a_case_is_the_same_again_and_can_be_kept(name: str) -> None:
    for number in range(60):
        case = named(name % number)
        assert named(name % number) == case
        assert named(f"{name.partition(':')[0]}={case.written()}") == case


def test_what_is_kept_can_be_read() -> None:
    assert [type(named(line)).__name__ for line in kept()]
