"""The menu: pages by what people come for. Only pages that exist, and that the visitor may see, are in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airtally.accounts.permissions import Permission
from airtally.console.declared import ConsolePage, Place
from airtally.console.visits import Visit


@dataclass(frozen=True, slots=True)
class MenuEntry:
    label: str
    path: str
    place: Place = Place.ACCOUNT
    permission: Permission = Permission.READ


@dataclass(frozen=True, slots=True)
class Section:
    """`entries` under one heading."""

    heading: str
    entries: tuple[MenuEntry, ...]


@dataclass(frozen=True, slots=True)
class MenuItem:
    """An entry as this visitor sees it."""

    label: str
    href: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class MenuGroup:
    heading: str
    items: tuple[MenuItem, ...]


_ADMIN, _OPERATOR = Permission.ADMIN, Permission.OPERATOR
_SECTIONS = (
    Section(
        "Figures", (MenuEntry("Overview", "/overview"), MenuEntry("Explore", "/explore"), MenuEntry("SQL", "/sql"))
    ),
    Section(
        "Delivery",
        (
            MenuEntry("Reports", "/reports"),
            MenuEntry("Datasets", "/datasets"),
            MenuEntry("Exports", "/exports"),
            MenuEntry("Schedules", "/schedules"),
            MenuEntry("Webhooks", "/webhooks"),
            MenuEntry("Deliveries", "/deliveries"),
            MenuEntry("Alarms", "/alarms"),
            MenuEntry("Jobs", "/jobs"),
        ),
    ),
    Section("Rows", (MenuEntry("Streams", "/streams"), MenuEntry("Quarantine", "/quarantine"))),
    Section(
        "Account",
        (
            MenuEntry("Connect", "/connect"),
            MenuEntry("Keys", "/keys", permission=_ADMIN),
            MenuEntry("Users", "/users", permission=_ADMIN),
            MenuEntry("Usage", "/usage"),
            MenuEntry("Erasures", "/erasures", permission=_ADMIN),
            MenuEntry("Audit", "/audit", permission=_ADMIN),
            MenuEntry("Settings", "/settings"),
        ),
    ),
    Section(
        "Server",
        (
            MenuEntry("Status", "", Place.SERVER, _OPERATOR),
            MenuEntry("Accounts", "/accounts", Place.SERVER, _OPERATOR),
            MenuEntry("Lake", "/lake", Place.SERVER, _OPERATOR),
            MenuEntry("Doctor", "/doctor", Place.SERVER, _OPERATOR),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Navigation:
    """The sections with what is served."""

    sections: tuple[Section, ...]

    @classmethod
    def of(cls, pages: Iterable[ConsolePage]) -> Navigation:
        served = {page.path for page in pages if page.declared.method == "GET"}
        return cls(tuple(_with_pages(section, served) for section in _SECTIONS))

    def menu(self, visit: Visit) -> Sequence[MenuGroup]:
        groups = (MenuGroup(each.heading, tuple(_items(visit, each))) for each in self.sections)
        return [group for group in groups if group.items]


def _with_pages(section: Section, served: set[str]) -> Section:
    return Section(section.heading, tuple(each for each in section.entries if each.place + each.path in served))


def _items(visit: Visit, section: Section) -> Iterable[MenuItem]:
    here = visit.request.url.path
    for each in section.entries:
        if visit.may(each.permission):
            href = visit.path(each.path) if each.place is Place.ACCOUNT else each.place + each.path
            is_current = here == href or (bool(each.path) and here.startswith(f"{href}/"))
            yield MenuItem(each.label, href, is_current)
