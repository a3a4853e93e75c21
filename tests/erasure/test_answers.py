"""Answers before and after an erasure equal a naive count, from rows and from segments, whatever happened before."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.erasure.records import ErasureState
from airtally.kit.clock import MovableClock
from fixtures.erasures import NOON_US, ErasureHome

EVENT = st.fixed_dictionaries(
    {
        "hwid": st.sampled_from([None, "d1", "d2", "d3"]),
        "user_id": st.sampled_from([None, None, "ann", "bob"]),
        "id": st.sampled_from([None, "a", "b", "c"]),
        "time": st.sampled_from(["2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z", "2026-11-02T08:00:00Z"]),
    }
)
DEVICE = st.fixed_dictionaries(
    {"hwid": st.sampled_from(["d1", "d2", "d3"]), "user_id": st.sampled_from([None, "ann", "bob"])}
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("events"), st.lists(EVENT, min_size=1, max_size=4)),
        st.tuples(st.just("device"), DEVICE),
        st.sampled_from([("flush", None), ("compact", None), ("rebuild", None), ("restart", None)]),
    ),
    min_size=3,
    max_size=12,
)


class Model:
    """What was sent, as a person would count it."""

    def __init__(self) -> None:
        self.events: dict[Any, dict[str, Any]] = {}
        self.devices: dict[str, str | None] = {}

    def send(self, event: dict[str, Any]) -> None:
        key = (event["time"][:10], event["id"]) if event["id"] else len(self.events)
        self.events.pop(key, None)
        self.events[key] = event

    def without(self, user: str) -> int:
        devices = {hwid for hwid, owner in self.devices.items() if owner == user}
        return sum(event["user_id"] != user and event["hwid"] not in devices for event in self.events.values())


@given(steps=STEPS)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_count_is_that_of_a_naive_model(steps: list[tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as closing:
        home, model = ErasureHome(Path(folder) / "home", MovableClock(NOON_US), closing), Model()
        for what, value in steps:
            home = _do(home, model, what, value)
        assert home.count() == len(model.events)
        erasure = home.erase(user_id="ann")
        assert erasure.state is ErasureState.ERASED
        assert home.count() == model.without("ann")
        home.rebuild()
        assert home.count() == model.without("ann")
        home.compact()
        assert home.again().count() == model.without("ann")


def _do(home: ErasureHome, model: Model, what: str, value: Any) -> ErasureHome:
    match what:
        case "events":
            for event in value:
                home.events(event)
                model.send(event)
        case "device":
            home.devices(value)
            model.devices[value["hwid"]] = value["user_id"]
        case "flush":
            home.flush()
        case "compact":
            home.flush()
            home.compact()
        case "rebuild":
            home.flush()
            home.rebuild()
        case "restart":
            home.abandon()
            return home.again()
    return home
