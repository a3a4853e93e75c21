"""Slate's own services, built from those that all APIs share."""

from __future__ import annotations

from dataclasses import dataclass

from airtally.kit.signing import LinkSigner
from airtally.services import Services
from airtally.vendors.slate.catalogue import Catalogue
from airtally.vendors.slate.grants import Grants
from airtally.vendors.slate.links import FileLinks
from airtally.vendors.slate.register import Register


@dataclass(frozen=True, slots=True)
class SlateServices:
    """Every service reads and writes the metadata store and keeps nothing in memory."""

    catalogue: Catalogue
    register: Register
    grants: Grants
    links: FileLinks


def slate_services(services: Services) -> SlateServices:
    """Build Slate's services; cheap enough to do wherever they are needed."""
    settings, access = services.settings, services.access
    signer = LinkSigner(access.secrets.subkey("dataset links"))
    return SlateServices(
        catalogue=Catalogue(services.store),
        register=Register(services.store, services.clock, settings.slate_file_format),
        grants=Grants(services.store, access.secrets, services.clock, access.keys),
        links=FileLinks(settings.public_url, signer, round(settings.slate_link_seconds)),
    )
