"""`airtally slate`: what a Slate partner sees, and the codes its clients begin with."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import App, Parameter

from airtally.accounts.secrets import Secrets
from airtally.cli.common import AccountSlug, DatabaseServices, Json, command, opened_database
from airtally.cli.output import moment, print_listing, print_made
from airtally.kit.errors import BadRequest
from airtally.kit.paging import ALL
from airtally.vendors.slate import shown
from airtally.vendors.slate.catalogue import Catalogue
from airtally.vendors.slate.entries import NewBusiness
from airtally.vendors.slate.grants import Grants
from airtally.vendors.slate.register import Register

app = App(name="slate", help="What a Slate partner sees.")
account_app = App(name="account", help="Slate accounts; an account of this server has one or more.")
group_app = App(name="group", help="Lines of business, such as Channels.")
business_app = App(name="business", help="Channels or studios, each with its three datasets.")
code_app = App(name="code", help="Authorization codes.")
for each in (account_app, group_app, business_app, code_app):
    app.command(each)

SlateAccountId = Annotated[
    str | None,
    Parameter(name="--slate-account", help="Id of the Slate account; without, the only one, made if need be."),
]
Below = Annotated[str | None, Parameter(name="--slate-account", help="Id of the Slate account; all without.")]
Format = Literal["csv", "csv.gz", "zip", "parquet"]


@account_app.command(name="create")
@command
def create_account(
    *,
    account: AccountSlug,
    id_: Annotated[str | None, Parameter(name="--id", help="As in paths; made up without.")] = None,
    name: Annotated[str, Parameter(help="What people call it.")],
    as_json: Json = False,
) -> None:
    """Make a Slate account."""
    with opened_database() as database:
        made = _register(database).create_account(database.accounts.by_slug(account), name, id_)
    print_made(shown.account(made), as_json=as_json)


@account_app.command(name="list")
@command
def list_accounts(*, account: AccountSlug, as_json: Json = False) -> None:
    """Show an account's Slate accounts."""
    with opened_database() as database:
        found = Catalogue(database.store).accounts(database.accounts.by_slug(account))
    print_listing([shown.account(each) for each in found.items], ("id", "name"), as_json=as_json)


@group_app.command(name="create")
@command
def create_group(
    *,
    account: AccountSlug,
    slate_account: SlateAccountId = None,
    id_: Annotated[str, Parameter(name="--id", help="As in paths.")],
    name: Annotated[str | None, Parameter(help="What people call it; its id without.")] = None,
    as_json: Json = False,
) -> None:
    """Make a group."""
    with opened_database() as database:
        made = _register(database).create_group(database.accounts.by_slug(account), id_, name, slate_account)
    print_made(shown.group(made), as_json=as_json)


@group_app.command(name="list")
@command
def list_groups(*, account: AccountSlug, slate_account: Below = None, as_json: Json = False) -> None:
    """Show the groups."""
    with opened_database() as database:
        found = Catalogue(database.store).groups(database.accounts.by_slug(account), ALL, **_path(slate_account))
    print_listing([shown.group(each) for each in found.items], ("slate_account", "id", "name"), as_json=as_json)


@business_app.command(name="create")
@command
def create_business(
    *,
    account: AccountSlug,
    slate_account: SlateAccountId = None,
    group: Annotated[str, Parameter(help="Id of its group, which is made if there is none.")],
    business: Annotated[str, Parameter(help="Its id: the `business_id` of its rows.")],
    name: Annotated[str, Parameter(help="What people call it.")],
    territory: Annotated[str | None, Parameter(help="Such as US.")] = None,
    dataset: Annotated[
        tuple[str, ...],
        Parameter(help="KIND=ID for subscription, playback or catalog; made up without. May be repeated.", negative=()),
    ] = (),
    format_: Annotated[
        Format | None, Parameter(name="--format", help="Of its files, for good; AIRTALLY_SLATE_FILE_FORMAT without.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a business and its three datasets."""
    new = NewBusiness(group, business, name, territory, slate_account, _dataset_ids(dataset), format_)
    with opened_database() as database:
        made, datasets = _register(database).create_business(database.accounts.by_slug(account), new)
    print_made(shown.business(made, datasets), as_json=as_json)


@business_app.command(name="list")
@command
def list_businesses(*, account: AccountSlug, slate_account: Below = None, as_json: Json = False) -> None:
    """Show the businesses with their datasets."""
    with opened_database() as database:
        catalogue, owner, path = Catalogue(database.store), database.accounts.by_slug(account), _path(slate_account)
        found, datasets = catalogue.businesses(owner, ALL, **path), catalogue.datasets(owner, ALL, **path)
    rows = [shown.business(each, datasets.items) for each in found.items]
    columns = ("slate_account", "group", "id", "name", "territory", "format", "datasets")
    print_listing(rows, columns, as_json=as_json)


@code_app.command(name="create")
@command
def create_code(
    *,
    account: AccountSlug,
    client: Annotated[str, Parameter(help="The client id of a Slate key of the account.")],
    redirect_uri: Annotated[str, Parameter(name="--redirect-uri", help="The address the client will give with it.")],
    as_json: Json = False,
) -> None:
    """Make a one-time authorization code, good for five minutes."""
    with opened_database() as database:
        secrets = Secrets.open(database.settings.home, database.settings.secret_key)
        grants = Grants(database.store, secrets, database.clock, database.keys)
        made = grants.create_code(database.accounts.by_slug(account), client, redirect_uri)
    print_made({"code": made.code, "expires": moment(made.expires_at)}, as_json=as_json)


def _register(database: DatabaseServices) -> Register:
    return Register(database.store, database.clock, database.settings.slate_file_format)


def _path(slate_account: str | None) -> dict[str, str]:
    return {} if slate_account is None else {"slate_account": slate_account}


def _dataset_ids(given: tuple[str, ...]) -> dict[str, str]:
    ids: dict[str, str] = {}
    for each in given:
        kind, equals, dataset_id = each.partition("=")
        if not equals or kind in ids:
            raise BadRequest(f"--dataset {each[:64]} cannot be used: expected KIND=ID, each kind once")
        ids[kind] = dataset_id
    return ids
