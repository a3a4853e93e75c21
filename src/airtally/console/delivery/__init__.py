"""Pages of what leaves the server: reports, datasets, exports, schedules, webhooks and alarms."""
