"""The countries of the audience of ads and apps, and the hours in which people are awake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Country:
    """`share` of the audience; `utc_hours` that most of its clocks are ahead of UTC; `worth` of an install relative to the mean."""

    code: str
    share: float
    utc_hours: float
    worth: float


COUNTRIES = (
    Country("US", 27.0, -6, 1.9),
    Country("JP", 8.5, 9, 1.7),
    Country("DE", 6.0, 1, 1.4),
    Country("GB", 6.0, 0, 1.5),
    Country("BR", 6.0, -3, 0.5),
    Country("IN", 5.5, 5.5, 0.25),
    Country("KR", 5.0, 9, 1.5),
    Country("FR", 4.5, 1, 1.2),
    Country("CA", 4.0, -5, 1.6),
    Country("MX", 3.5, -6, 0.5),
    Country("RU", 3.0, 3, 0.5),
    Country("AU", 2.5, 10, 1.6),
    Country("IT", 2.5, 1, 1.0),
    Country("ES", 2.2, 1, 0.9),
    Country("ID", 2.0, 7, 0.3),
    Country("TR", 2.0, 3, 0.4),
    Country("TW", 1.6, 8, 1.2),
    Country("NL", 1.4, 1, 1.2),
    Country("PL", 1.3, 1, 0.7),
    Country("AR", 1.2, -3, 0.4),
    Country("TH", 1.1, 7, 0.4),
    Country("SE", 1.0, 1, 1.3),
    Country("SA", 0.9, 3, 1.1),
    Country("NP", 0.5, 5.75, 0.2),
    Country("ZZ", 0.8, 0, 0.6),  # not known
)

CODES = tuple(country.code for country in COUNTRIES)
SHARES = tuple(country.share for country in COUNTRIES)
UTC_SECONDS = np.array([country.utc_hours * 3600 for country in COUNTRIES])
WORTH = np.array([country.worth for country in COUNTRIES])

#: How many people use their phones in each hour of the local day.
AWAKE = (1.2, 0.7, 0.4, 0.3, 0.4, 0.8, 1.8, 3.2, 4.0, 4.1, 4.2, 4.6, 5.4, 5.0, 4.6, 4.7, 5.0, 5.6, 6.4, 7.2, 7.8, 7.4, 5.6, 3.0)  # fmt: skip
