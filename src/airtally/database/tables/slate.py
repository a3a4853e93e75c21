"""What a Slate partner sees: accounts, groups, businesses, datasets and their files."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text, UniqueConstraint

from airtally.database.tables.base import Id, metadata, numbered

slate_accounts = numbered(
    "slate_accounts",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("slate_id", Text, nullable=False),  # as it stands in paths
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("account_id", "slate_id"),
)

slate_groups = numbered(
    "slate_groups",
    Column("id", Id, primary_key=True),
    Column("slate_account_id", ForeignKey("slate_accounts.id"), nullable=False),
    Column("group_id", Text, nullable=False),  # as it stands in paths
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("slate_account_id", "group_id"),
)

#: A row of a dataset stream names its business; the id is unique in the account.
slate_businesses = numbered(
    "slate_businesses",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("slate_group_id", ForeignKey("slate_groups.id"), nullable=False, index=True),
    Column("business_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("territory", Text),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("account_id", "business_id"),
)

datasets = numbered(
    "datasets",
    Column("id", Id, primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("slate_business_id", ForeignKey("slate_businesses.id"), nullable=False),
    Column("stream", Text, nullable=False),  # subscriptions, playback, catalog
    Column("dataset_id", Text, nullable=False),  # as it stands in paths
    Column("format", Text, nullable=False),  # csv, csv.gz, zip, parquet; never changed
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("slate_business_id", "stream"),
    UniqueConstraint("account_id", "dataset_id"),
)

dataset_files = numbered(
    "dataset_files",
    Column("id", Id, primary_key=True),
    Column("dataset_id", ForeignKey("datasets.id"), nullable=False),
    Column("file_id", Text, nullable=False, index=True),  # accounts may have datasets of the same id
    Column("name", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("report_date_begin", Text, nullable=False),
    Column("report_date_end", Text, nullable=False),
    Column("published_at", BigInteger, nullable=False),  # a whole second: what listings filter on
    Column("deleted_at", BigInteger),
    UniqueConstraint("dataset_id", "file_id"),
    Index(None, "dataset_id", "published_at", "file_id", "deleted_at"),  # a page, and how many files there are
)

#: How far a dataset's rows have been published.
publications = Table(
    "publications",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id"), primary_key=True),
    Column("slot_at", BigInteger, nullable=False),  # the slot that was published last
    Column("offsets", Text, nullable=False),  # JSON: the last published sequence of each writer
    Column("consumed_files", Text, nullable=False),  # JSON: names of the lake files whose rows are all published
    Column("stamp", BigInteger),  # of files whose commit nobody has seen to end before it
    Column("noticed_at", BigInteger),  # when the account was last told that a slot is late
    Column("updated_at", BigInteger, nullable=False),
)

#: One-time authorization codes.
slate_codes = Table(
    "slate_codes",
    metadata,
    Column("code_hash", Text, primary_key=True),
    Column("key_id", ForeignKey("keys.id"), nullable=False, index=True),
    Column("redirect_uri", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)
