"""The metrics of `/metrics`: among them a counter for every point at which a row could be lost or refused."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("airtally_requests_total", "Requests answered.", ["method", "area", "status"])
REQUEST_SECONDS = Histogram(
    "airtally_request_seconds",
    "Time from a request's first byte to its answer's last.",
    ["area"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)

CONNECTIONS = Gauge("airtally_connections", "Connections that are open.", multiprocess_mode="livesum")
CONNECTIONS_CLOSED = Counter(
    "airtally_connections_closed_total", "Connections ended by the server for a limit.", ["reason"]
)
BODY_BYTES = Gauge("airtally_body_bytes", "Bytes of bodies that requests under work hold.", multiprocess_mode="livesum")

ROWS_ACCEPTED = Counter("airtally_rows_accepted_total", "Rows on disk before their answer.", ["stream"])
ROWS_REJECTED = Counter("airtally_rows_rejected_total", "Rows put into quarantine.", ["stream"])
ROWS_NOT_QUARANTINED = Counter(
    "airtally_rows_not_quarantined_total", "Rows refused and not kept: the account's quarantine is full.", ["stream"]
)
QUARANTINE_EXPIRED = Counter("airtally_quarantine_expired_total", "Quarantine entries dropped by their age.")
BATCHES_REFUSED = Counter("airtally_batches_refused_total", "Batches of which nothing was kept.", ["stream", "reason"])
BUFFERS_BROKEN = Counter(
    "airtally_buffers_broken_total", "Buffers of dead processes that were damaged, recovered as far as could be."
)
BATCHES_REPEATED = Counter("airtally_batches_repeated_total", "Batches answered from an earlier claim.", ["stream"])
BODIES_READ = Counter(
    "airtally_bodies_read_total",
    "Bodies of JSON, and chunks of such files, decoded: as columns, row by row, or both in parts.",
    ["way"],
)
CALLS_LIMITED = Counter("airtally_calls_limited_total", "Calls refused by a rate limit.", ["area"])
LOOP_FAILURES = Counter("airtally_loop_failures_total", "Background steps that ended in an error.", ["loop"])
LOOP_SECONDS = Gauge(
    "airtally_loop_last_success_seconds",
    "When a background loop last ended a step well; of several worker processes, in the one that is furthest behind.",
    ["loop"],
    multiprocess_mode="livemin",
)

METADATA_FAILURES = Counter("airtally_metadata_failures_total", "Metadata transactions that failed.", ["reason"])
LIMITER_FAILURES = Counter("airtally_limiter_failures_total", "Calls let through because their limit is unknown.")
LAST_USE_FAILURES = Counter("airtally_last_use_failures_total", "Uses of a key that could not be noted.")
LOGINS_REFUSED = Counter("airtally_logins_refused_total", "Log-ins refused.", ["reason"])

JOBS = Counter("airtally_jobs_ended_total", "Jobs that ended, done or failed.", ["kind", "state"])
JOB_TRIES = Counter("airtally_job_tries_failed_total", "Tries at a job put off by trouble.", ["kind", "reason"])
REPORT_DAYS = Counter(
    "airtally_report_days_total", "Days of reports rendered, by what put their lines in order.", ["ordered_by"]
)
SCHEDULE_RUNS = Counter(
    "airtally_schedule_runs_total", "Runs of schedules that ended: done, failed or skipped.", ["state"]
)
DELIVERIES = Counter("airtally_deliveries_total", "Webhook tries by what came of them.", ["state"])
MESSAGE_TRIES = Counter(
    "airtally_message_tries_total",
    "Tries at delivering messages, by what became of the delivery.",
    ["channel", "state"],
)
ENDPOINTS_DISABLED = Counter(
    "airtally_endpoints_disabled_total", "Webhook endpoints that the server disabled.", ["reason"]
)
ALARM_CHANGES = Counter("airtally_alarm_changes_total", "Alarms that fired or were over.", ["state"])
ALARM_FAILURES = Counter("airtally_alarm_failures_total", "Checks of an alarm that ended in an error; tried again.")
MESSAGES_EXPIRED = Counter("airtally_messages_expired_total", "Messages removed by their age.")

PUBLICATIONS = Counter("airtally_publications_total", "Publications of a dataset.", ["stream"])
PUBLICATION_FAILURES = Counter("airtally_publication_failures_total", "Tries at a publication that failed.")
PUBLICATIONS_LATE = Counter("airtally_publications_late_total", "Slots not published an hour later.", ["stream"])
DATASET_FILES = Counter("airtally_dataset_files_total", "Dataset files published.", ["stream"])
DATASET_ROWS = Counter("airtally_dataset_rows_total", "Rows in published dataset files.", ["stream"])
MAILS = Counter("airtally_mails_total", "E-mails by what came of them.", ["state"])

BUFFER_BYTES = Gauge(
    "airtally_buffer_live_bytes", "Bytes of acknowledged rows that wait for the lake.", multiprocess_mode="livesum"
)
BUFFER_FAILURES = Counter("airtally_buffer_failures_total", "Group commits that failed; nothing was kept.", ["reason"])
VERSIONS_AT_ONCE = Counter(
    "airtally_versions_at_once_total", "Changelog rows of which the versions were made all at once.", ["stream"]
)
VERSIONS_FOLDED = Counter(
    "airtally_versions_folded_total", "Changelog rows that were compared with stored versions one by one.", ["stream"]
)
VERSION_INDEX_BYTES = Gauge(
    "airtally_version_index_bytes",
    "Memory of the indexes of changelogs' keys and versions (`AIRTALLY_VERSION_INDEX`).",
    multiprocess_mode="livesum",
)
ROWS_FLUSHED = Counter("airtally_rows_flushed_total", "Rows moved from the buffer into the lake.", ["stream"])
FLUSH_FAILURES = Counter("airtally_flush_failures_total", "Flushes that ended in an error; rows stay.", ["stream"])
LAKE_CONFLICTS = Counter("airtally_lake_conflicts_total", "Commits given up for another's.", ["stream", "kind"])
COMPACTED_ROWS = Counter("airtally_compacted_rows_total", "Rows written by compaction.", ["stream"])
REPEAT_SEARCHES = Counter(
    "airtally_repeat_searches_total", "Searches for repeats of events among rows that are not compacted.", ["stream"]
)
REPEATS_REMOVED = Counter("airtally_repeats_removed_total", "Duplicates of events removed by compaction.", ["stream"])
ROWS_EXPIRED = Counter("airtally_rows_expired_total", "Rows that left by their retention.", ["stream"])

CARE_FAILURES = Counter(
    "airtally_care_failures_total", "Care of a table that ended in an error and was put off.", ["stream", "work"]
)

#: The name is of 0.1.0, where a segment was called a part; dashboards know it.
ROLLUP_SEGMENTS = Counter("airtally_rollup_parts_total", "Segments of rollups built.", ["rollup"])
ROLLUP_FAILURES = Counter("airtally_rollup_failures_total", "Care of a rollup that ended in an error.", ["rollup"])

SNAPSHOTS = Counter(
    "airtally_snapshots_total",
    "Views of a stream that answers were given from: looked for in buffers and lake, or remembered.",
    ["way"],
)
MAPS_MADE = Counter("airtally_maps_made_total", "Segments of rollups written as memory maps.", ["rollup"])
MAPPED_ANSWERS = Counter("airtally_mapped_answers_total", "Answers made from memory maps of segments.", ["stream"])

ANSWER_CACHE_HITS = Counter("airtally_answer_cache_hits_total", "Answers given from memory.")
ANSWER_CACHE_MISSES = Counter("airtally_answer_cache_misses_total", "Answers that had to be computed.")

LOOKUPS = Counter(
    "airtally_lookups_total",
    "Listings of records and of last arrivals, by whether they were answered from memory or from rows.",
    ["kind", "source"],
)
