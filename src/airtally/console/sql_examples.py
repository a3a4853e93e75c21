"""Statements that the page SQL offers to begin with."""

from __future__ import annotations

_PLAYS = """\
SELECT player_id, count(*) AS plays, sum(duration_seconds) AS seconds
FROM playlogs
WHERE played_at >= now() - INTERVAL 7 DAY
GROUP BY player_id
ORDER BY plays DESC
LIMIT 20"""
_EVENTS = """\
SELECT date_trunc('day', time) AS day, event, sum(count) AS events
FROM app_events
WHERE time >= now() - INTERVAL 30 DAY
GROUP BY 1, 2
ORDER BY day, events DESC"""
_PEAKS = """\
SELECT app, max(viewers_max) AS peak
FROM viewer_samples_day
GROUP BY app
ORDER BY peak DESC"""
_SPEND = """\
SELECT country, sum(spend) / 1000000 AS spend
FROM ad_events_quarter
GROUP BY country
ORDER BY spend DESC"""
_PLAYERS = """\
SELECT player_id, name, group_name
FROM players
ORDER BY name"""

#: Each with what it answers.
EXAMPLES = (
    ("Plays of each player in the last week", _PLAYS),
    ("Events by day and name", _EVENTS),
    ("The most viewers at once of each application", _PEAKS),
    ("Spend by country", _SPEND),
    ("Players as they are now", _PLAYERS),
)
