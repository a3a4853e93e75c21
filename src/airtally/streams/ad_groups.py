"""Ad groups: what is advertised in the Tapjoy API."""

from __future__ import annotations

from airtally.streams.declaration import VERSION_COLUMNS, Column, Kind, Owned, Partition, Stream, Type

AD_GROUPS = Stream(
    name="ad_groups",
    kind=Kind.CHANGELOG,
    doc="What is advertised. A group exists once declared and not deleted, and belongs to the account that declared it first.",
    time="last_update_time_utc",
    key=("ad_group_id",),
    entity=("ad_group_id",),
    partition=Partition.NONE,
    owned=Owned("ad_group", "ad_group_id", declares=True),
    columns=(
        Column(
            "ad_group_id",
            Type.TEXT,
            "The group, matched whatever the case of the letters A to Z.",
            required=True,
            fold_case=True,
        ),
        Column("name", Type.TEXT, "Display name.", required=True),
        Column("platform", Type.TEXT, "Platform of the advertised app.", required=True),
        Column("secondary_offer_id", Type.TEXT, "A further id of the offer."),
        *VERSION_COLUMNS,
    ),
)
