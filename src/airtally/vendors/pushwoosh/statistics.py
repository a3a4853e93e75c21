"""The methods that schedule statistics, and the one that fetches their results.

docs/vendors/pushwoosh.md#3, #6, #7.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from airtally.accounts.principal import Principal
from airtally.kit.quality import quality_headers
from airtally.statistics.asked import EventStatistics, TagStatistics
from airtally.statistics.service import Statistic, StatisticState
from airtally.vendors.pushwoosh import auth
from airtally.vendors.pushwoosh.call import Call, Method, MethodResult
from airtally.vendors.pushwoosh.choices import CHOICES
from airtally.vendors.pushwoosh.conditions import condition, entries
from airtally.vendors.pushwoosh.dates import period
from airtally.vendors.pushwoosh.downloads import url
from airtally.vendors.pushwoosh.errors import Failed, Fault, Restricted, StillProcessing

REQUEST_ID = re.compile(r"DC1_[0-9a-f]{32}")


def get_event_statistics(call: Call) -> MethodResult:
    """Schedules the count. Everything is checked before an id is given: a client with an id gets a result."""
    principal = auth.caller(call)
    code = auth.application(call, principal)
    name = call.text("event")
    event = call.services.access.declared.event(principal.account, code, name) if name else None
    if event is None:
        raise Fault(CHOICES.event_not_found)
    start_us, end_us = period(call.parameters.get("date_from"), call.parameters.get("date_to"))
    found = entries(call.parameters.get("attributes"))
    if found:
        names = [each["name"] for each in found if isinstance(each.get("name"), str)]
        event = call.services.access.declared.event(principal.account, code, event.name, names) or event
    now_us = call.services.clock.now_us()
    conditions = tuple(condition(each, event.attributes, now_us) for each in found)
    return _schedule(call, principal, EventStatistics(code, event.name, start_us, end_us, conditions))


def get_tag_stats(call: Call) -> MethodResult:
    principal = auth.caller(call)
    name = call.text("tag")
    tag = call.services.access.declared.tag(principal.account, name) if name else None
    if tag is None:
        raise Fault(CHOICES.tag_not_found)
    codes = _applications(call, principal)
    return _schedule(call, principal, TagStatistics(tag.name, tag.type, not tag.application_specific, tuple(codes)))


def get_results(call: Call) -> MethodResult:
    """A result can be read many times. Raises StillProcessing while it is not there."""
    principal = auth.caller(call)
    found = None
    if REQUEST_ID.fullmatch(request_id := call.text("request_id") or ""):
        found = call.services.statistics.find(principal.account, request_id)
    if found is None:
        raise Fault(CHOICES.request_not_found)
    if not all(auth.may_use(principal, code) for code in found.asked.applications):
        raise Restricted
    if found.status == StatisticState.WAITING:
        raise StillProcessing
    if found.status == StatisticState.FAILED:
        raise Failed(CHOICES.request_failed)
    return MethodResult(_result(call, found), _quality(found))


def _applications(call: Call, principal: Principal) -> list[str]:
    """Those asked for, each once; all that the token may use where none is. Raises Fault."""
    asked: Any = call.parameters.get("applications")
    if asked is None or asked == []:
        owned = call.services.access.owners.ids_of("application", principal.account.id)
        return sorted(code for code in owned if auth.may_use(principal, code))
    if not isinstance(asked, list) or not all(isinstance(code, str) for code in asked):
        raise Fault(CHOICES.applications_no_array)
    return auth.checked_applications(call, principal, asked)


def _schedule(call: Call, principal: Principal, asked: EventStatistics | TagStatistics) -> MethodResult:
    return MethodResult({"request_id": call.services.statistics.ask(principal.account, asked)})


def _result(call: Call, found: Statistic) -> object:
    if found.file_name is not None:
        return {"fileName": url(call.services.settings.public_url, found.file_name)}
    return msgspec.Raw(found.result or b"[]")


def _quality(found: Statistic) -> dict[str, str]:
    return quality_headers(data_through_us=found.data_through, generated_at_us=found.ended_at, timezone="UTC")


READ_METHODS: dict[str, Method] = {
    "getEventStatistics": get_event_statistics,
    "getTagStats": get_tag_stats,
    "getResults": get_results,
}
