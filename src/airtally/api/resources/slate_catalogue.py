"""`/api/v1/slate`: the catalogue as it is, datasets with their files, and publications at once."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.accounts.permissions import Permission
from airtally.api.operation import OperationCall, OperationReply, PlainCall, operation
from airtally.api.pages import MAX_LIMIT, ListingPage, PageQuery, page_of
from airtally.api.resources.slate_publications import (
    PUBLICATION,
    DatasetAnswer,
    DatasetFileAnswer,
    PublicationAnswer,
    dataset_answer,
    file_answer,
    publication_answer,
)
from airtally.api.times import shown_moment
from airtally.datasets.asked import KIND, ask_for_publication
from airtally.datasets.dataset import Dataset
from airtally.kit.errors import NotFound
from airtally.services import Services
from airtally.vendors.slate import shown
from airtally.vendors.slate.services import slate_services


class BelowSlateAccount(PageQuery):
    """`slate_account`: below this one only."""

    slate_account: str | None = None


class BelowSlateGroup(BelowSlateAccount):
    """`group`: below this one only."""

    group: str | None = None


class BelowSlateBusiness(BelowSlateGroup):
    """`business`: below this one only."""

    business: str | None = None


class IssuedCodeAnswer(msgspec.Struct, frozen=True):
    """A code that was issued, without the code. `used`: null if it was not."""

    key_id: int
    redirect_uri: str
    expires: str
    used: str | None


class SlateCatalogueResource:
    def __init__(self, services: Services) -> None:
        self._slate = slate_services(services)
        self._files = services.datasets.files
        self._tasks = services.tasks
        self._clock = services.clock

    @operation("GET", "/slate/accounts", Permission.READ, "List Slate accounts")
    def list_slate_accounts(self, call: OperationCall[PageQuery, None]) -> ListingPage[dict[str, Any]]:
        """In the order they were made, as all listings of the catalogue are."""
        return self._page(call, "slate_account", shown.account)

    @operation("GET", "/slate/accounts/{slate_account}", Permission.READ, "Get a Slate account", failures=(NotFound,))
    def get_slate_account(self, call: PlainCall) -> dict[str, Any]:
        found = self._slate.catalogue.entry(call.account, slate_account=call.text("slate_account"))
        return shown.account(found)

    @operation("GET", "/slate/groups", Permission.READ, "List Slate groups")
    def list_slate_groups(self, call: OperationCall[BelowSlateAccount, None]) -> ListingPage[dict[str, Any]]:
        return self._page(call, "group", shown.group, slate_account=call.query.slate_account)

    @operation(
        *("GET", "/slate/accounts/{slate_account}/groups/{group}", Permission.READ, "Get a Slate group"),
        failures=(NotFound,),
    )
    def get_slate_group(self, call: PlainCall) -> dict[str, Any]:
        """Its id is unique in its Slate account."""
        path = {name: call.text(name) for name in ("slate_account", "group")}
        return shown.group(self._slate.catalogue.entry(call.account, **path))

    @operation("GET", "/slate/businesses", Permission.READ, "List Slate businesses")
    def list_slate_businesses(self, call: OperationCall[BelowSlateGroup, None]) -> ListingPage[dict[str, Any]]:
        """With the ids of their datasets."""
        query = call.query
        path = {"slate_account": query.slate_account, "group": query.group}
        found = self._entries(call, "business", **path)
        own = self._slate.catalogue.datasets_of(call.account, found)
        return page_of(
            found, query.limit, lambda each: shown.business(each, own[each.row_id]), lambda each: each.row_id
        )

    @operation("GET", "/slate/businesses/{business}", Permission.READ, "Get a Slate business", failures=(NotFound,))
    def get_slate_business(self, call: PlainCall) -> dict[str, Any]:
        found = self._slate.catalogue.entry(call.account, business=call.text("business"))
        return shown.business(found, self._slate.catalogue.datasets_of(call.account, [found])[found.row_id])

    @operation("GET", "/slate/datasets", Permission.READ, "List datasets")
    def list_datasets(self, call: OperationCall[BelowSlateBusiness, None]) -> ListingPage[DatasetAnswer]:
        """With the moment up to which all rows are in their files."""
        query = call.query
        path = {"slate_account": query.slate_account, "group": query.group, "business": query.business}
        return self._page(call, "dataset", self._dataset_answer, **path)

    @operation("GET", "/slate/datasets/{dataset}", Permission.READ, "Get a dataset", failures=(NotFound,))
    def get_dataset(self, call: PlainCall) -> DatasetAnswer:
        return self._dataset_answer(self._dataset(call))

    @operation(
        *("GET", "/slate/datasets/{dataset}/files", Permission.READ, "List a dataset's files"),
        failures=(NotFound,),
    )
    def list_dataset_files(self, call: OperationCall[PageQuery, None]) -> ListingPage[DatasetFileAnswer]:
        """The newest first, with links that expire. A file is listed from its publication time on, for two years."""
        dataset, asked, now = self._dataset(call), call.query, self._clock.now_us()
        found = self._files.newest(dataset, before=asked.position, limit=asked.limit + 1)
        links = self._slate.links
        return page_of(
            found,
            asked.limit,
            lambda each: file_answer(each.file, links.link(dataset.row_id, each.file.id, now)),
            lambda each: each.number,
        )

    @operation(
        *("POST", "/slate/datasets/{dataset}/publications", Permission.ADMIN, "Publish a dataset now"),
        status=202,
        answer=PublicationAnswer,
        failures=(NotFound,),
        answer_example=PUBLICATION | {"state": "waiting", "files": [], "ended_at": None},
        headers={"Location": "Where its progress is."},
    )
    def create_publication(self, call: PlainCall) -> OperationReply:
        """What the next slot would publish: every row that was acknowledged before the call.

        Asked for again before it has begun, it is the same publication.
        """
        dataset = self._dataset(call)
        made = ask_for_publication(self._tasks, call.account, dataset)
        location = f"/api/v1/slate/datasets/{dataset.id}/publications/{made.id}"
        return OperationReply(publication_answer(made, dataset), headers={"Location": location})

    @operation(
        *("GET", "/slate/datasets/{dataset}/publications", Permission.READ, "List publications that were asked for"),
        failures=(NotFound,),
    )
    def list_publications(self, call: OperationCall[PageQuery, None]) -> ListingPage[PublicationAnswer]:
        """Newest first, for 90 days; not those of the schedule, whose files are listed with all others."""
        dataset, asked = self._dataset(call), call.query
        found = self._tasks.page(KIND, subject=str(dataset.row_id), after=asked.position, limit=asked.limit + 1)
        return page_of(found, asked.limit, lambda each: publication_answer(each, dataset), lambda each: each.id)

    @operation(
        *("GET", "/slate/datasets/{dataset}/publications/{publication_id}", Permission.READ, "Get a publication"),
        failures=(NotFound,),
        answer_example=PUBLICATION,
    )
    def get_publication(self, call: PlainCall) -> PublicationAnswer:
        """Once it is done, with the files that it made; none if there were no new rows."""
        dataset = self._dataset(call)
        found = self._tasks.get(KIND, call.number("publication_id"), subject=str(dataset.row_id))
        return publication_answer(found, dataset)

    @operation("GET", "/slate/codes", Permission.ADMIN, "List authorization codes")
    def list_slate_codes(self, call: PlainCall) -> ListingPage[IssuedCodeAnswer]:
        """Those of the last day, never the codes themselves; the newest 1,000."""
        found = self._slate.grants.codes(call.account, MAX_LIMIT)
        items = [
            IssuedCodeAnswer(each.key_id, each.redirect_uri, shown_moment(each.expires_at), shown_moment(each.used_at))
            for each in found
        ]
        return ListingPage(items, None)

    def _page(self, call: OperationCall[Any, None], level: str, show: Any, **path: str | None) -> ListingPage[Any]:
        return page_of(self._entries(call, level, **path), call.query.limit, show, lambda each: each.row_id)

    def _entries(self, call: OperationCall[Any, None], level: str, **path: str | None) -> list[Any]:
        """Those of the page, and the one that shows whether there is a next page."""
        asked, given = call.query, {name: value for name, value in path.items() if value is not None}
        return self._slate.catalogue.entries(call.account, level, after=asked.position, limit=asked.limit + 1, **given)

    def _dataset(self, call: OperationCall[Any, Any]) -> Dataset:
        return self._slate.catalogue.dataset(call.account, dataset=call.text("dataset"))

    def _dataset_answer(self, dataset: Dataset) -> DatasetAnswer:
        return dataset_answer(dataset, self._files.data_through(dataset))
