"""Settings that change an answer, and what a failing store or engine makes of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from airtally.database.tables import replays
from airtally.kit.clock import MovableClock
from airtally.kit.errors import StorageFull, Unavailable
from airtally.kit.faults import Faults
from fixtures.native import Native
from fixtures.opened import Opened
from fixtures.server import LiveServer
from fixtures.viewers import (
    API_KEY,
    CDN,
    NOW,
    NOW_US,
    PILOT,
    SECRET,
    Client,
    accepted,
    checked,
    failure,
    import_key,
    request,
    sample,
    shown,
    signed,
)

PILOT_ROW = [f"{PILOT} 2026-11-22 08:11:00 20/10/30/60"]
BAD_TIME = failure("0002", "Timestamp outside valid range. Make sure your timestamp is in UTC not local time")
UNEXPECTED = failure("0004", "API encountered an unexpected error")


@pytest.fixture
def own(start_server: Callable[..., LiveServer], here: MovableClock) -> Iterator[Callable[..., Client]]:
    """`own(**settings)`: a client of a server of the test's own; the first fills the home they share."""
    made: list[Client] = []

    def start(**changes: Any) -> Client:
        server = start_server(clock=here, **changes)
        if not made:
            native = Native(server, "acme")
            import_key(server, native, CDN, API_KEY, SECRET)
            accepted(native, "viewer_samples", sample("acme-vod", PILOT, "2026-11-22T08:11", e1=10, e2=30, e3=20))
            native.http.close()
        made.append(Client(server, httpx.Client(base_url=server.url, timeout=120)))
        return made[-1]

    yield start
    for client in made:
        client.http.close()


@pytest.fixture
def here() -> MovableClock:
    return MovableClock(NOW_US)


def kept(client: Client) -> int:
    with client.server.services.store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(replays)).scalar_one())


def test_row_07_a_repeat_is_refused_in_strict_mode(own: Callable[..., Client], here: MovableClock) -> None:
    client = own(scaleengine_strict_replay=True)
    text = signed(request(timestamp=NOW + 5))
    assert shown(client.reply(text)) == PILOT_ROW
    assert client.reply(text) == BAD_TIME
    assert client.reply(text.replace(b"=", b"")) == BAD_TIME
    assert shown(client.reply(signed(request(timestamp=NOW + 6)))) == PILOT_ROW
    assert client.reply(signed(request(timestamp=NOW + 7), secret="wrong"))["code"] == "0003"
    assert kept(client) == 2  # what was not signed well takes no room
    here.advance(305)
    assert client.reply(text) == BAD_TIME
    here.advance(2)
    assert shown(client.reply(signed(request(timestamp=NOW + 300)))) == PILOT_ROW
    assert kept(client) == 1


def test_a_repeat_is_refused_by_another_server_too(own: Callable[..., Client]) -> None:
    first, second = (own(scaleengine_strict_replay=True) for _ in range(2))
    text = signed(request())
    assert shown(first.reply(text)) == PILOT_ROW
    assert second.reply(text) == BAD_TIME
    assert shown(second.reply(signed(request(timestamp=NOW + 1)))) == PILOT_ROW
    assert first.reply(signed(request(timestamp=NOW + 1))) == BAD_TIME


def test_of_many_at_once_one_is_answered(own: Callable[..., Client]) -> None:
    clients = [own(scaleengine_strict_replay=True) for _ in range(2)]
    with ThreadPoolExecutor(8) as threads:
        for number in range(5):
            text = signed(request(timestamp=NOW + number))
            replies = list(threads.map(lambda client, text=text: client.reply(text), clients * 4))
            assert sorted(reply["status"] for reply in replies) == ["failure"] * 7 + ["success"]
            assert [reply for reply in replies if reply["status"] == "failure"] == [BAD_TIME] * 7


def test_nobody_found_as_success(own: Callable[..., Client]) -> None:
    client = own(scaleengine_empty_is_success=True)
    assert client.ask(app="nosuch") == {"message": "No viewers found", "status": "success", "data": []}
    assert client.rows() == PILOT_ROW


def test_another_window(own: Callable[..., Client]) -> None:
    client = own(scaleengine_window=10.0)
    assert client.rows(timestamp=NOW - 10) == client.rows(timestamp=NOW + 10) == PILOT_ROW
    assert client.ask(timestamp=NOW - 11) == client.ask(timestamp=NOW + 11) == BAD_TIME


def test_minutes_as_long_as_their_rows_are_kept(own: Callable[..., Client], here: MovableClock) -> None:
    client = own(retain_days={"viewer_samples": None})
    here.advance(40 * 86_400)
    rows = client.rows(timestamp=NOW + 40 * 86_400, starttime="2026-11-22 08:00:00")
    assert rows == PILOT_ROW


def test_a_revoked_key(own: Callable[..., Client]) -> None:
    client = own()
    assert client.rows() == PILOT_ROW
    services = client.server.services
    for key in services.access.keys.all():
        services.access.keys.revoke(key.id)
    assert client.ask()["code"] == "0001"


class Failing(Faults):
    """Writes to the metadata store fail while `failure` is set."""

    failure: Exception | None = None

    def reach(self, point: str) -> None:
        if point == "metadata.write" and self.failure is not None:
            raise self.failure


@pytest.mark.parametrize("failing", [StorageFull("full"), Unavailable("away"), RuntimeError("a bug")])
def test_a_failing_store_is_0004_and_takes_nothing(own: Callable[..., Client], failing: Exception) -> None:
    faults = Failing()
    client = own(scaleengine_strict_replay=True, faults=faults)
    text = signed(request())
    faults.failure = failing
    assert client.reply(text) == UNEXPECTED
    answer = client.post(text, field="php")
    assert answer.status_code == 200
    assert answer.content.startswith(b'a:4:{s:7:"message";s:35:"API encountered an unexpected error";')
    faults.failure = None
    assert shown(client.reply(text)) == PILOT_ROW


def test_a_failing_engine_is_0004(own: Callable[..., Client]) -> None:
    client = own(engine_memory=1)
    answer = client.post(signed(request()))
    assert answer.status_code == 200
    assert checked(answer.json()) == UNEXPECTED


def test_a_sum_beyond_64_bits_is_exact(
    own: Callable[..., Client],
    here: MovableClock,
    opened: Opened,
) -> None:
    client = own()
    native = opened(Native(client.server, "big"))
    import_key(client.server, native, 77, "BIGKEYBIGKEYBIGKEYBIGKEYBIGKEYBI", SECRET)
    most = (1 << 63) - 1
    accepted(native, "viewer_samples", sample("big", "one", "2026-11-22T09:00", a=most, b=0))
    accepted(native, "viewer_samples", sample("big", "two", "2026-11-22T09:00", a=most, b=1))
    asked = {"api_key": "BIGKEYBIGKEYBIGKEYBIGKEYBIGKEYBI", "cdn": 77, "app": "big"}
    half = 1 << 62
    assert client.rows(**asked, url="one") == [f"one 2026-11-22 09:00:00 {half}/0/{most}/{most}"]
    assert client.rows(**asked, url="two") == [f"two 2026-11-22 09:00:00 {half}/1/{most}/{most + 1}"]
