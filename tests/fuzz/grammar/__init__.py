"""A grammar for each API; `draw_case` takes one of them."""

from __future__ import annotations

from datetime import date

from fuzz.case import Case
from fuzz.chance import Chance
from fuzz.grammar import console, fouryousee, native, pushwoosh, scaleengine, slate, tapjoy
from fuzz.grammar.any import spoil
from fuzz.grammar.draft import Draft

#: Those whose right requests cost the server most, of 20 ms and more, are fewer.
_WEIGHTS = {
    fouryousee.draw: 4,
    slate.draw: 6,
    tapjoy.draw: 3,
    scaleengine.draw: 1,
    pushwoosh.draw: 6,
    console.draw: 5,
}
_NATIVE = 9


def draw_case(seed: int, number: int, today: date) -> Case:
    """Case `number` of a run: the same for the same seed, number and day."""
    chance = Chance("requests", seed, number)
    draft = Draft(chance, today)
    if chance.randrange(_NATIVE + sum(_WEIGHTS.values())) < _NATIVE:
        case = native.draw(draft, number)
        if case.ledger is not None:
            return case
    else:
        case = chance.weighted(_WEIGHTS)(draft)
    return spoil(chance, case)
