"""`airtally slate`: what a Slate partner sees, and the codes its clients begin with."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from airtally.cli.common import AccountSlug, Json, command
from airtally.cli.output import print_listing, print_made
from airtally.cli.server import ApiServer, quoted, server
from airtally.kit.errors import BadRequest

app = App(name="slate", help="Create and list what a Slate partner sees.")
account_app = App(name="account", help="Slate accounts; an account of this server has one or more.")
group_app = App(name="group", help="Lines of business, such as Channels.")
business_app = App(name="business", help="Channels or studios, each with its three datasets.")
code_app = App(name="code", help="Authorization codes.")
for each in (account_app, group_app, business_app, code_app):
    app.command(each)

SlateAccountId = Annotated[
    str | None,
    Parameter(
        name="--slate-account",
        help="Id of the Slate account; if not given, the only one, which is created if there is none.",
    ),
]
Below = Annotated[str | None, Parameter(name="--slate-account", help="Id of the Slate account; if not given, all.")]
Format = Literal["csv", "csv.gz", "zip", "parquet"]


@account_app.command(name="create")
@command
def create_account(
    *,
    account: AccountSlug,
    id_: Annotated[str | None, Parameter(name="--id", help="Its id in paths; if not given, one is made.")] = None,
    name: Annotated[str, Parameter(help="Its name for people.")],
    as_json: Json = False,
) -> None:
    """Create a Slate account."""
    with server(account) as api:
        made = api.post("/slate/accounts", {"name": name, "id": id_})
    print_made(made, as_json=as_json)


@account_app.command(name="list")
@command
def list_accounts(*, account: AccountSlug, as_json: Json = False) -> None:
    """Show an account's Slate accounts."""
    with server(account) as api:
        found = list(api.items("/slate/accounts"))
    print_listing(found, ("id", "name"), as_json=as_json)


@group_app.command(name="create")
@command
def create_group(
    *,
    account: AccountSlug,
    slate_account: SlateAccountId = None,
    id_: Annotated[str, Parameter(name="--id", help="Its id in paths.")],
    name: Annotated[str | None, Parameter(help="Its name for people; if not given, its id.")] = None,
    as_json: Json = False,
) -> None:
    """Create a group."""
    with server(account) as api:
        made = api.post("/slate/groups", {"id": id_, "name": name, "slate_account": slate_account})
    print_made(made, as_json=as_json)


@group_app.command(name="list")
@command
def list_groups(*, account: AccountSlug, slate_account: Below = None, as_json: Json = False) -> None:
    """Show the groups."""
    with server(account) as api:
        _check_slate_account(api, slate_account)
        found = list(api.items("/slate/groups", slate_account=slate_account))
    print_listing(found, ("slate_account", "id", "name"), as_json=as_json)


@business_app.command(name="create")
@command
def create_business(
    *,
    account: AccountSlug,
    slate_account: SlateAccountId = None,
    group: Annotated[str, Parameter(help="Id of its group, which is created if it is not there.")],
    business: Annotated[str, Parameter(help="Its id: the `business_id` of its rows.")],
    name: Annotated[str, Parameter(help="Its name for people.")],
    territory: Annotated[str | None, Parameter(help="The territory, such as US.")] = None,
    dataset: Annotated[
        tuple[str, ...],
        Parameter(
            help="KIND=ID for subscription, playback or catalog; can be repeated. Ids not given are made.",
            negative=(),
        ),
    ] = (),
    format_: Annotated[
        Format | None,
        Parameter(
            name="--format",
            help="Format of its files, which cannot be changed later; if not given, AIRTALLY_SLATE_FILE_FORMAT.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Create a business and its three datasets."""
    asked = {
        "group": group,
        "id": business,
        "name": name,
        "territory": territory,
        "slate_account": slate_account,
        "datasets": _dataset_ids(dataset),
        "format": format_,
    }
    with server(account) as api:
        made = api.post("/slate/businesses", asked)
    print_made(made, as_json=as_json)


@business_app.command(name="list")
@command
def list_businesses(*, account: AccountSlug, slate_account: Below = None, as_json: Json = False) -> None:
    """Show the businesses with their datasets."""
    with server(account) as api:
        _check_slate_account(api, slate_account)
        found = list(api.items("/slate/businesses", slate_account=slate_account))
    columns = ("slate_account", "group", "id", "name", "territory", "format", "datasets")
    print_listing(found, columns, as_json=as_json)


@code_app.command(name="create")
@command
def create_code(
    *,
    account: AccountSlug,
    client: Annotated[str, Parameter(help="The client id of a Slate key of the account.")],
    redirect_uri: Annotated[
        str, Parameter(name="--redirect-uri", help="The redirect URI that the client will send with the code.")
    ],
    as_json: Json = False,
) -> None:
    """Create an authorization code for one use within five minutes."""
    with server(account) as api:
        made = api.post("/slate/codes", {"client_id": client, "redirect_uri": redirect_uri})
    print_made(made, as_json=as_json)


def _check_slate_account(api: ApiServer, slate_account: str | None) -> None:
    """Raises CallFailed if there is none."""
    if slate_account is not None:
        api.get(f"/slate/accounts/{quoted(slate_account)}")


def _dataset_ids(given: tuple[str, ...]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for each in given:
        kind, equals, dataset_id = each.partition("=")
        if not equals or kind in ids:
            raise BadRequest(f"--dataset {each[:64]} cannot be used: expected KIND=ID, each kind once")
        ids[kind] = dataset_id
    return ids
