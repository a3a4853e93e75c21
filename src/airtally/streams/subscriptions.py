"""Subscriptions: the life cycle of channel customers, a dataset of the Slate API."""

from __future__ import annotations

from airtally.streams.declaration import VERSION_COLUMNS, Column, Kind, Partition, Stream, Type

SUBSCRIPTIONS = Stream(
    name="subscriptions",
    kind=Kind.CHANGELOG,
    doc="Events in the life of channel subscriptions: start, renewal, cancellation.",
    time="last_update_time_utc",
    key=("business_id", "subscription_event_id"),
    entity=("business_id", "subscription_event_id"),
    partition=Partition.ARRIVAL_DAY,
    business="business_id",
    columns=(
        Column("business_id", Type.TEXT, "The channel or studio it belongs to; it must exist.", required=True),
        Column("subscription_event_id", Type.TEXT, "Unique id of the subscription event.", required=True),
        Column("subscription_event_type", Type.TEXT, "What happened, such as `Start`, `Renewal` or `Cancel`."),
        Column("subscription_event_time_utc", Type.TIME, "When it happened."),
        Column("subscription_event_time_zone", Type.TEXT, "Time zone of the subscription's marketplace."),
        Column(
            "cid",
            Type.TEXT,
            "Anonymous customer, the same for all events within one parent channel.",
            identifies="cid",
        ),
        Column("offer_id", Type.TEXT, "The offer concerned."),
        Column("offer_name", Type.TEXT, "That offer's name."),
        Column("offer_type", Type.TEXT, "Kind of offer."),
        Column("offer_marketplace", Type.TEXT, "Marketplace where the offer was active."),
        Column("offer_billing_type", Type.TEXT, "The payment that the offer requires."),
        Column("offer_payment_amount", Type.TEXT, "The amount charged, as text."),
        Column("benefit_id", Type.TEXT, "The benefit under which the offer is set up."),
        Column("channel_label", Type.TEXT, "The channel the offer belongs to."),
        Column("channel_tier_label", Type.TEXT, "The channel's tier."),
        Column("is_promo", Type.INT64, "1 if the offer was on promotion then.", default=0, minimum=0, maximum=1),
        *VERSION_COLUMNS,
    ),
)
