"""One of the processes of `airtally serve --workers N`, started by their parent (`worker_processes.py`).

Its child process for heavy work loads this file too, so nothing is loaded before `main`.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Serve until the parent says so, or has ended. Metrics must be shared before any is made."""
    from pathlib import Path  # noqa: PLC0415 (see above)

    import msgspec  # noqa: PLC0415

    from airtally.cli.worker_start import WorkerStart  # noqa: PLC0415
    from airtally.kit import shared_metrics  # noqa: PLC0415

    start = msgspec.json.decode(sys.argv[1], type=WorkerStart)
    shared_metrics.share(Path(start.folder), start.number)

    from airtally.cli.worker_serving import run_worker  # noqa: PLC0415

    run_worker(start)


if __name__ == "__main__":
    main()
