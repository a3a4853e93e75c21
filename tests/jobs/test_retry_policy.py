from __future__ import annotations

import pytest

from airtally.datasets.work import RETRY as PUBLICATIONS
from airtally.jobs.retry_policy import RetryPolicy
from airtally.jobs.worker import PATIENCE_US, RETRY


def test_a_policy_that_ends_after_its_waits() -> None:
    policy = RetryPolicy.ending_after((120, 360, 1080))
    assert [policy.wait(attempt) for attempt in range(1, 6)] == [120, 360, 1080, None, None]
    assert RetryPolicy.ending_after(()).wait(1) is None


def test_the_last_wait_repeats() -> None:
    policy = RetryPolicy((2, 5), attempts=5)
    assert [policy.wait(attempt) for attempt in range(1, 6)] == [2, 5, 5, 5, None]
    assert [policy.allows(attempt) for attempt in (1, 5, 6)] == [True, True, False]
    endless = RetryPolicy((2, 5))
    assert endless.wait(1_000_000) == 5
    assert endless.allows(1_000_000)


def test_by_age_it_is_the_wait_that_the_attempts_would_have_come_to() -> None:
    policy = RetryPolicy((2, 5, 10))
    assert [policy.wait_at(age) for age in (-1, 0, 1.9, 2, 6.9, 7, 16.9, 17, 1e9)] == [2, 2, 2, 5, 5, 10, 10, 10, 10]


def test_a_publication_waits_a_quarter_of_its_lateness() -> None:
    for age in range(8, 481, 8):
        assert PUBLICATIONS.wait_at(age) == pytest.approx(age / 4, rel=0.3)


def test_a_job_is_given_up_for_its_age_before_its_attempts_run_out() -> None:
    waits = [RETRY.wait(attempt) or 0 for attempt in range(1, 50)]
    assert sum(waits) * 1_000_000 > PATIENCE_US
