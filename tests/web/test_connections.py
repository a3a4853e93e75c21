"""Which connection is closed for a new one."""

from __future__ import annotations

from airtally.web.connections import Connections, Held
from airtally.web.limits import Limits


class Opened:
    def __init__(self, most: int, each: int, exempt: str = "") -> None:
        self.connections = Connections(most, each, exempt=lambda address: address == exempt)
        self.closed: list[str] = []

    def enter(self, name: str) -> Held | None:
        """The first letter is the address."""
        return self.connections.enter(name[0], lambda: self.closed.append(name))


def test_the_connection_that_was_idle_longest_gives_way_first_of_its_own_address() -> None:
    opened = Opened(10, 3)
    held = [opened.enter(name) for name in ("b1", "a1", "a2", "a3")]
    held[1].busy()  # type: ignore[union-attr]
    held[1].idle()  # type: ignore[union-attr]

    assert opened.enter("a4") is not None
    assert opened.enter("a5") is not None
    assert opened.closed == ["a2", "a3"]


def test_where_all_are_taken_the_address_that_has_most_gives_way() -> None:
    opened = Opened(5, 4)
    for name in ("b1", "a1", "a2", "a3", "c1"):
        opened.enter(name)

    assert opened.enter("d1") is not None
    assert opened.closed == ["a1"]
    assert len(opened.connections) == 5


def test_requests_under_work_give_way_to_none() -> None:
    opened = Opened(2, 2)
    for name in ("a1", "a2"):
        opened.enter(name).busy()  # type: ignore[union-attr]

    assert opened.enter("a3") is None
    assert opened.enter("b1") is None
    assert opened.closed == []


def test_what_leaves_makes_room_once() -> None:
    opened = Opened(1, 1)
    held = opened.enter("a1")
    assert held is not None
    held.leave()
    held.leave()
    held.busy()

    assert len(opened.connections) == 0
    assert opened.enter("a2") is not None
    assert opened.closed == []


def test_a_proxy_has_all_there_are() -> None:
    opened = Opened(5, 1, exempt="p")
    for n in range(5):
        assert opened.enter(f"p{n}") is not None

    assert opened.closed == []


def test_connections_stay_below_the_files_of_the_process() -> None:
    assert Limits(connections=4096).within(65_536).connections == 4096
    few = Limits(connections=4096).within(1024)
    assert (few.connections, few.each) == (768, 384)
    assert Limits().within(100).connections == 1
