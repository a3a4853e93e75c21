"""What clients of the datasets API need, and their calls. docs/vendors/slate.md#1, #2, #4, #5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airtally.accounts.kinds import Credentials
from airtally.connect.account_view import MOST_NAMED, AccountView
from airtally.connect.checklist import ChecklistItem, DeclaredField, DeclaringCall
from airtally.connect.connection import ApiConnection, Placeholder, ProgramValues
from airtally.connect.exchange import ClientCalls, ClientRequest
from airtally.connect.items import keys_item, rows_item
from airtally.datasets.dataset import Dataset
from airtally.kit.paging import Listed, Slice
from airtally.streams import CATALOG, PLAYBACK, STREAMS, SUBSCRIPTIONS
from airtally.vendors.slate.catalogue import Catalogue
from airtally.vendors.slate.entries import Business

_SOME = Slice(limit=MOST_NAMED)
_ACCOUNT = (
    DeclaredField("id", "Id in paths", "123456", required=False),
    DeclaredField("name", "Name", "Northwind Pictures"),
)
_GROUP = (
    DeclaredField("id", "Id in paths", "7890"),
    DeclaredField("name", "Name", "Channels", required=False),
)
_BUSINESS = (
    DeclaredField("group", "Id of its group", "7890"),
    DeclaredField("id", "Id in paths", "abc123"),
    DeclaredField("name", "Name", "Northwind Max"),
    DeclaredField("territory", "Territory", "US", required=False),
    DeclaredField("subscription", "Id of the subscription dataset", "data987", required=False),
    DeclaredField("playback", "Id of the playback dataset", "data988", required=False),
    DeclaredField("catalog", "Id of the catalog dataset", "data989", required=False),
)
_EVENT = {
    "business_id": "abc123",
    "subscription_event_id": "se-1",
    "subscription_event_type": "Start",
    "subscription_event_time_utc": "2026-11-20T10:00:00Z",
    "cid": "c-1",
}


class SlateConnection(ApiConnection):
    name = "slate"
    title = "Prime Video Slate"
    base_path = "/apis/v2"
    replaces = "https://videocentral.amazon.com/apis/v2"
    key_kinds = ("slate",)
    guide = "docs/guides/moving/slate.md"

    def items(self, view: AccountView) -> list[ChecklistItem]:
        files = _files(view)
        return [
            *_levels(view),
            rows_item(
                *(view, [SUBSCRIPTIONS, PLAYBACK, CATALOG], "Rows", "Of subscriptions, playback or the catalogue."),
                _EVENT,
            ),
            ChecklistItem(
                id="files",
                title="Published files",
                why="Rows become files every four hours, or at once by this command; the client lists and fetches them.",
                needed=True,
                count=len(files),
                more=len(files) > MOST_NAMED,
                names=tuple(files[:MOST_NAMED]),
                command=f"airtally dataset publish --account {view.account.slug}",
                call=DeclaringCall("POST", f"/api/v1/slate/datasets/{_dataset_id(view)}/publications", {}),
            ),
            keys_item(view, "slate", "The client's id, secret and refresh token, or one constant token (--static)."),
        ]

    def values(self, view: AccountView) -> ProgramValues:
        """The dataset with rows of the first business; files from two years ago on."""
        found = _example_dataset(view)
        if found is None:
            dataset_path: Any = Placeholder("dataset path")
        else:
            business, dataset = found
            dataset_path = f"accounts/{business.slate_account}/{business.group}/{business.id}/datasets/{dataset.id}"
        return {"dataset_path": dataset_path}

    def secrets(self) -> Mapping[str, str]:
        return {name: name for name in ("client_id", "client_secret", "refresh_token")}

    def calls(self, values: Mapping[str, Any], credentials: Credentials) -> ClientCalls:
        """With a constant token where the client has no refresh token."""
        token = str(credentials.get("access_token", ""))
        if "refresh_token" in credentials:
            fields = {name: str(credentials.get(name, "")) for name in self.secrets()}
            refreshing = ClientRequest.form("/auth/o2/token", {"grant_type": "refresh_token"} | fields)
            token = (yield refreshing).field("access_token")
        if token:
            yield ClientRequest("GET", f"/apis/v2/{values['dataset_path']}", {"Authorization": f"Bearer {token}"})


_KINDS = ("subscription", "playback", "catalog")
_BUSINESS_BODY = {name: f"{{{name}}}" for name in ("group", "id", "name", "territory")} | {
    "datasets": {name: f"{{{name}}}" for name in _KINDS}
}
_BUSINESS_EXAMPLE = {
    "group": "7890",
    "id": "abc123",
    "name": "Northwind Max",
    "datasets": {"subscription": "data987", "playback": "data988", "catalog": "data989"},
}
_BUSINESS_COMMAND = (
    'airtally slate business create --account {} --group 7890 --business abc123 --name "Northwind Max" --territory US'
)
_DATASET_OPTIONS = "--dataset subscription=data987 --dataset playback=data988 --dataset catalog=data989"


def _levels(view: AccountView) -> list[ChecklistItem]:
    """Account, groups, businesses and their datasets."""
    catalogue, account, create = Catalogue(view.services.store), view.account, "airtally slate"
    return [
        _level_item(
            catalogue.accounts(account, _SOME),
            *("slate-accounts", "Slate account", "The first id of the client's path. The first group makes one."),
            command=f'{create} account create --account {account.slug} --id 123456 --name "Northwind Pictures"',
            call=DeclaringCall("POST", "/api/v1/slate/accounts", {"id": "{id}", "name": "{name}"}),
            fields=_ACCOUNT,
        ),
        _level_item(
            catalogue.groups(account, _SOME),
            *("slate-groups", "Group", "The second id of the path: a line of business."),
            command=f"{create} group create --account {account.slug} --id 7890 --name Channels",
            call=DeclaringCall("POST", "/api/v1/slate/groups", {"id": "{id}", "name": "{name}"}),
            fields=_GROUP,
        ),
        _level_item(
            catalogue.businesses(account, _SOME),
            *("slate-businesses", "Business", "The third id of the path; it is made with its three datasets."),
            command=_BUSINESS_COMMAND.format(account.slug),
            call=DeclaringCall("POST", "/api/v1/slate/businesses", _BUSINESS_BODY),
            fields=_BUSINESS,
        ),
        _level_item(
            catalogue.datasets(account, _SOME),
            *("slate-datasets", "Datasets", "The last id of the path. They are made with their business."),
            command=f"{_BUSINESS_COMMAND.format(account.slug)} {_DATASET_OPTIONS}",
            call=DeclaringCall("POST", "/api/v1/slate/businesses", _BUSINESS_EXAMPLE),
        ),
    ]


def _level_item(
    found: Listed[Any],
    id: str,  # noqa: A002 (as the item's)
    title: str,
    why: str,
    *,
    command: str,
    call: DeclaringCall,
    fields: Sequence[DeclaredField] = (),
) -> ChecklistItem:
    return ChecklistItem(
        id=id,
        title=title,
        why=why,
        needed=True,
        count=found.total,
        more=False,
        names=tuple(f"{each.id} ({each.name})" for each in found.items),
        command=command,
        call=call,
        fields=tuple(fields),
    )


def _example_dataset(view: AccountView) -> tuple[Business, Dataset] | None:
    """Of the first business that has a file, else of the first: its dataset with a file, else with rows, else any."""
    catalogue = Catalogue(view.services.store)
    businesses = catalogue.businesses(view.account, _SOME).items
    pairs = [
        (each, dataset) for each in businesses for dataset in catalogue.datasets_of(view.account, [each])[each.row_id]
    ]
    return max(pairs, key=lambda pair: _worth(view, pair[1]), default=None)


def _worth(view: AccountView, dataset: Dataset) -> tuple[bool, bool]:
    return bool(view.services.datasets.files.newest(dataset, limit=1)), bool(view.stored(STREAMS[dataset.stream]))


def _dataset_id(view: AccountView) -> str:
    found = _example_dataset(view)
    return found[1].id if found else "data987"


def _files(view: AccountView) -> list[str]:
    """Names of the newest files of the example's dataset, one more than are named."""
    found = _example_dataset(view)
    if found is None:
        return []
    return [each.file.name for each in view.services.datasets.files.newest(found[1], limit=MOST_NAMED + 1)]


CONNECTION = SlateConnection()
