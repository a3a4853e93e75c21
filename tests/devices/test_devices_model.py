"""Any sequence of calls leaves a device as a naive model has it, before and after a flush."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.accounts.accounts import Account
from airtally.accounts.declared import ValueType
from airtally.kit.clock import MovableClock
from airtally.runtime import open_services
from airtally.services import Services
from airtally.settings import Settings

APPLICATIONS = ("A", "B")
HWIDS = ("d1", "d2")
TAGS = {"list": (ValueType.LIST, True), "text": (ValueType.STRING, True), "shared": (ValueType.LIST, False)}

_texts = st.lists(st.sampled_from("abc"), max_size=3)
_value = st.one_of(
    st.none(), _texts, st.fixed_dictionaries({"operation": st.sampled_from(["append", "remove"]), "value": _texts})
)
_tags = st.dictionaries(st.sampled_from([*TAGS, "unknown"]), _value, max_size=3)
_calls = st.tuples(
    st.sampled_from(["set", "set", "register", "delete", "unregister", "flush", "tick"]),
    st.sampled_from(APPLICATIONS),
    st.sampled_from(HWIDS),
    _tags,
)


class Model:
    """What docs/vendors/pushwoosh.md#8 says, in the plainest way."""

    def __init__(self) -> None:
        self.registered: set[tuple[str, str]] = set()
        self.values: dict[tuple[str | None, str, str], Any] = {}

    def set(self, application: str, hwid: str, tags: dict[str, Any]) -> None:
        self.registered.add((application, hwid))
        for name, sent in tags.items():
            if name not in TAGS:
                continue
            kind, specific = TAGS[name]
            key = (application if specific else None, hwid, name)
            if sent is None:
                self.values.pop(key, None)
            elif kind is ValueType.LIST:
                self._set_list(key, sent)

    def _set_list(self, key: tuple[str | None, str, str], sent: Any) -> None:
        if isinstance(sent, list):
            self.values[key] = list(dict.fromkeys(sent))
        elif sent["operation"] == "append":
            self.values[key] = list(dict.fromkeys([*self.values.get(key, []), *sent["value"]]))
        elif key in self.values:
            self.values[key] = [each for each in self.values[key] if each not in sent["value"]]

    def delete(self, application: str, hwid: str) -> None:
        self.registered.discard((application, hwid))
        elsewhere = any(each == hwid for _, each in self.registered)
        for key in list(self.values):
            if key[1] == hwid and (key[0] == application or (key[0] is None and not elsewhere)):
                del self.values[key]

    def tags(self, application: str, hwid: str) -> dict[str, Any]:
        seen = {application, None} if (application, hwid) in self.registered else {application}
        return {key[2]: value for key, value in self.values.items() if key[1] == hwid and key[0] in seen}


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    opened = open_services(Settings(home=tmp_path_factory.mktemp("model") / "home"), clock=MovableClock(10**15))
    yield opened
    opened.close()


_accounts = iter(range(10**9))


def _account(services: Services) -> Account:
    number = next(_accounts)
    account = services.access.accounts.create(f"Account {number}", f"model-{number}")
    for name, (kind, specific) in TAGS.items():
        services.access.declared.add_tag(account, name, kind, application_specific=specific)
    return account


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(_calls, max_size=12))
def test_any_calls_leave_what_the_model_has(services: Services, calls: list[Any]) -> None:
    account, model = _account(services), Model()
    devices = services.devices
    assert devices is not None
    for kind, application, hwid, tags in calls:
        if kind == "set":
            devices.set_tags(account, application, hwid, tags)
            model.set(application, hwid, tags)
        elif kind == "register":
            devices.register(account, application, hwid, {"device_type": 3}, tags)
            model.set(application, hwid, tags)
        elif kind == "delete":
            devices.delete(account, application, hwid)
            model.delete(application, hwid)
        elif kind == "unregister":
            devices.unregister(account, application, hwid)
        elif kind == "flush":
            services.storage.event_store.flush()
        else:
            services.clock.advance(1)  # type: ignore[attr-defined]
        for each in APPLICATIONS:
            assert devices.tags(account, each, hwid) == model.tags(each, hwid)
