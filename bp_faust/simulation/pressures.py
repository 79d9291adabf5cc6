"""Add and draw pairs of pressures."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

#: Correlation of systolic with diastolic pressure: 0.3 to 0.66 within sexes and decades of age in the data of
#: ``people.SURVEY_MEANS``.
_CORRELATION = 0.5


class Pressure(NamedTuple):
    """Hold a pressure, or a difference or spread of pressures, in mmHg."""

    systolic: float
    diastolic: float

    def plus(self, other: Pressure, times: float = 1.0) -> Pressure:
        """Return the sum of this one and the other as many times as is said."""
        return Pressure(self.systolic + times * other.systolic, self.diastolic + times * other.diastolic)

    def towards(self, other: Pressure, share: float) -> Pressure:
        """Return what lies between this one, at a share of 0, and the other, at a share of 1."""
        return Pressure(
            self.systolic + share * (other.systolic - self.systolic),
            self.diastolic + share * (other.diastolic - self.diastolic),
        )


def scattered(mean: Pressure, deviation: Pressure, random: Random) -> Pressure:
    """Draw from a normal distribution in which the two pressures rise and fall together."""
    first, second = random.gauss(0, 1), random.gauss(0, 1)
    together = _CORRELATION * first + (1 - _CORRELATION**2) ** 0.5 * second
    return Pressure(mean.systolic + deviation.systolic * first, mean.diastolic + deviation.diastolic * together)
