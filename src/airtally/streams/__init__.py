"""The streams: one file a stream, all of them in `STREAMS` by name."""

from airtally.streams.ad_events import AD_EVENTS
from airtally.streams.ad_groups import AD_GROUPS
from airtally.streams.app_events import APP_EVENTS
from airtally.streams.applications import APPLICATIONS
from airtally.streams.catalog import CATALOG
from airtally.streams.declaration import Stream
from airtally.streams.device_tags import DEVICE_TAGS
from airtally.streams.devices import DEVICES
from airtally.streams.medias import MEDIAS
from airtally.streams.playback import PLAYBACK
from airtally.streams.players import PLAYERS
from airtally.streams.playlogs import PLAYLOGS
from airtally.streams.rollup import Rollup
from airtally.streams.subscriptions import SUBSCRIPTIONS
from airtally.streams.viewer_apps import VIEWER_APPS
from airtally.streams.viewer_samples import VIEWER_SAMPLES

STREAMS: dict[str, Stream] = {
    stream.name: stream
    for stream in (
        PLAYLOGS,
        PLAYERS,
        MEDIAS,
        SUBSCRIPTIONS,
        PLAYBACK,
        CATALOG,
        AD_GROUPS,
        AD_EVENTS,
        VIEWER_APPS,
        VIEWER_SAMPLES,
        APPLICATIONS,
        APP_EVENTS,
        DEVICES,
        DEVICE_TAGS,
    )
}

#: All rollups of all streams by name; no rollup has the name of a stream.
ROLLUPS: dict[str, Rollup] = {rollup.name: rollup for stream in STREAMS.values() for rollup in stream.rollups}

__all__ = [
    "AD_EVENTS",
    "AD_GROUPS",
    "APPLICATIONS",
    "APP_EVENTS",
    "CATALOG",
    "DEVICES",
    "DEVICE_TAGS",
    "MEDIAS",
    "PLAYBACK",
    "PLAYERS",
    "PLAYLOGS",
    "ROLLUPS",
    "STREAMS",
    "SUBSCRIPTIONS",
    "VIEWER_APPS",
    "VIEWER_SAMPLES",
]
