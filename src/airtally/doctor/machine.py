"""Checks of the machine: the home's folder, the secret key, the buffers, the address, time zones."""

from __future__ import annotations

import shlex
import shutil
from itertools import islice
from zoneinfo import ZoneInfo

import pyarrow as pa

from airtally.accounts.secrets import FILE_NAME, Secrets
from airtally.doctor.finding import Finding, broken, to_mend, well
from airtally.doctor.premises import Premises
from airtally.kit import private
from airtally.storage.buffer import damage
from airtally.web.listened import Listened

LOW_DISK = 2 << 30
_MOST_PATHS = 10


def check_home(premises: Premises) -> Finding:
    """Room on the disk, and who else may read the folder."""
    home, shared = premises.settings.home.absolute(), premises.settings.shares_folders
    if not private.is_in_use(home):
        private.enclose(home, shared=shared)
    free = shutil.disk_usage(home).free
    mends = ["free disk space: below 2 GiB"] if free < LOW_DISK else []
    found = [f"{home}, {free / (1 << 30):.1f} GiB free"]
    exposed = private.open_to_others(home, shared=shared)
    if named := list(islice((path for path in exposed if path.name != FILE_NAME), _MOST_PATHS + 1)):
        more = ", …" if len(named) > _MOST_PATHS else ""
        found.append(f"open to others than its owner: {', '.join(map(str, named[:_MOST_PATHS]))}{more}")
        mends.append(f"chmod -R go= {shlex.quote(str(home))}")
    return to_mend("home", "; ".join(found), "; ".join(mends) or None)


def check_secret_key(premises: Premises) -> Finding:
    settings = premises.settings
    Secrets.open(settings.home, settings.secret_key)
    if settings.secret_key:
        return well("secret key", "from AIRTALLY_SECRET_KEY")
    path = settings.home / FILE_NAME
    readable = path.stat().st_mode & 0o077
    return to_mend("secret key", str(path), f"others can read it: chmod 600 {path}" if readable else None)


def check_public_url(premises: Premises) -> Finding:
    settings = premises.settings
    if settings.public_url:
        return well("public URL", settings.public_url)
    last = Listened.last(settings.home)
    if last is not None and not last.local:
        return to_mend("public URL", f"not set, and last served at {last.url}", last.warning)
    return well(
        "public URL",
        "not set: links begin with the address that `serve` listens on, and will not work from other machines "
        "until AIRTALLY_PUBLIC_URL is what they use",
    )


def check_buffer(premises: Premises) -> Finding:
    """Damaged buffers, which were kept aside."""
    folder = premises.settings.home / "buffer"
    found = damage.kept(folder)
    if not found:
        return well("buffer", str(folder.absolute()))
    return broken("buffer", "; ".join(map(str, found)), "; ".join(each.mend for each in found))


def check_time_zones(_: Premises) -> Finding:
    ZoneInfo("Asia/Kathmandu")
    return well("time zones", f"known; Arrow {pa.__version__}")
