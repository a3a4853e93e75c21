"""The data that networks are generated from: kinds of sites with opening hours, towns, chains and medias."""

from __future__ import annotations

from dataclasses import dataclass

_DAY = 24 * 60

#: Opening and closing minute of a day; None: closed.
Hours = tuple[int, int] | None


def _week(weekday: Hours, saturday: Hours, sunday: Hours) -> tuple[Hours, ...]:
    return (weekday,) * 5 + (saturday, sunday)


@dataclass(frozen=True, slots=True)
class SiteKind:
    """`hours` are those of Monday to Sunday; `spots` are the places in a site where players hang."""

    name: str
    hours: tuple[Hours, ...]
    spots: tuple[str, ...]
    in_campaign: bool = False


SITE_KINDS = (
    SiteKind(
        "Supermarket",
        _week((7 * 60, 22 * 60), (7 * 60, 22 * 60), (8 * 60, 20 * 60)),
        ("Entrance", "Checkout 1", "Checkout 2", "Bakery", "Butcher"),
        in_campaign=True,
    ),
    SiteKind("Pharmacy", _week((8 * 60, 22 * 60), (8 * 60, 20 * 60), (9 * 60, 18 * 60)), ("Counter", "Window"), True),
    SiteKind("Gym", _week((6 * 60, 23 * 60), (8 * 60, 18 * 60), None), ("Reception", "Weights", "Treadmills")),
    SiteKind(
        "Mall",
        _week((10 * 60, 22 * 60), (10 * 60, 22 * 60), (12 * 60, 20 * 60)),
        ("North door", "Food court", "Escalator", "Cinema", "Parking"),
        in_campaign=True,
    ),
    SiteKind("Bus terminal", _week((0, _DAY), (0, _DAY), (0, _DAY)), ("Platform A", "Platform B", "Hall")),
    SiteKind("Clinic", _week((7 * 60, 19 * 60), (8 * 60, 12 * 60), None), ("Waiting room", "Laboratory")),
)


@dataclass(frozen=True, slots=True)
class VenuePlace:
    """The towns and chains that the sites of a network are named after."""

    towns: tuple[str, ...]
    chains: tuple[str, ...]


BRAZIL = VenuePlace(
    ("São Paulo", "Campinas", "Santos", "Sorocaba", "Curitiba", "Londrina", "Belo Horizonte", "Goiânia", "Recife"),
    ("Aurora", "Bandeira", "Central", "Girassol", "Ipê", "Paineira", "Serra Azul", "Vila Nova"),
)
NEPAL = VenuePlace(
    ("Kathmandu", "Lalitpur", "Bhaktapur", "Pokhara", "Biratnagar"),
    ("Annapurna", "Everest", "Himal", "Lotus", "Sagar"),
)

#: Category, then its medias: name and seconds.
CONTENT = (
    ("News", (("Headlines", 15), ("Economy in a minute", 20), ("Sports round", 15), ("Culture agenda", 15))),
    ("Weather", (("Weather today", 10), ("Weather this week", 10))),
    ("House", (("Opening hours", 10), ("App download", 10), ("Loyalty card", 12), ("Safety notice", 8))),
    (
        "Advertising",
        (
            ("Café Serrano", 10),
            ("Banco Litoral", 15),
            ("Telefonia Sul", 15),
            ("Sabão Brilho", 10),
            ("Auto Rocha", 20),
            ("Sorvetes Neve", 10),
            ("Óticas Clara", 15),
            ("Escola Horizonte", 15),
            ("Suco Pomar", 10),
            ("Seguros Farol", 30),
            ("Móveis Cedro", 15),
            ("Viagens Rota", 20),
        ),
    ),
)
CAMPAIGN_CATEGORY = "Spring campaign"
CAMPAIGN = (("Spring campaign teaser", 10), ("Spring campaign offer", 15), ("Spring campaign last days", 10))
PLATFORMS = ("Windows", "Linux", "Android", "Samsung Tizen", "LG webOS")
