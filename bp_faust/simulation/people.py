"""Make people from a seed: who they are, and what their blood pressure is at rest.

A person follows from the seed and the person's number alone, whoever else there is; only names may differ between
versions of Faker.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any, Literal
from uuid import UUID

from bp_faust.fhir.resources import patient
from bp_faust.simulation.pressures import Pressure, scattered

#: What is the matter with a person.
Condition = Literal["normal", "treated", "untreated", "hypotensive", "severe"]

#: Mean pressure by sex, and by decade of age from the twenties to the seventies and above, rounded to whole mmHg.
#: Source: NHANES 2009-2012, as resampled to the people of the United States in the R package NHANES 2.1.1
#: (https://github.com/ProjectMOSAIC/NHANES): our means of BPSysAve and BPDiaAve over its 6,913 rows of adults from 20
#: on with a diastolic pressure of 30 or more.
SURVEY_MEANS = {
    "female": [Pressure(*pair) for pair in ((108, 66), (111, 70), (115, 71), (122, 72), (127, 71), (136, 64))],
    "male": [Pressure(*pair) for pair in ((118, 68), (119, 74), (121, 75), (126, 76), (127, 71), (133, 65))],
}

#: The year in which people are of the age that was drawn for them; they grow older from there.
YEAR = 2026
#: The first year at whose beginning all of them are born.
FIRST_YEAR = YEAR - 19

#: How many have hypertension, as 140/90 mmHg or drugs against it, below the ages 40 and 60 and from there on: Fryar CD
#: et al., NCHS Data Brief 289, 2017. How many of them take drugs: 76.4 %, Yoon SS et al., NCHS Data Brief 107, 2012.
_PREVALENCE = ((40, 0.075), (60, 0.332), (200, 0.631))
_MEDICATED = 0.764

#: How far those without hypertension, with treated and with untreated hypertension lie from all adults: their means of
#: 116/69, 130/75 and 146/85 less 122/71 mmHg, Wright JD et al., National Health Statistics Reports 35, 2011. The other
#: two are ours: readings mostly below 90/60, and mostly above 180/120, where the ACC/AHA guideline of 2017 speaks of a
#: crisis.
OFFSETS: Mapping[Condition, Pressure] = {
    "normal": Pressure(-6, -2),
    "treated": Pressure(8, 4),
    "untreated": Pressure(24, 14),
    "hypotensive": Pressure(-30, -16),
    "severe": Pressure(68, 42),
}

#: How old they are in ``YEAR``, where nothing is drawn by prevalence: ours.
_AGES: Mapping[Condition, tuple[int, int]] = {
    "normal": (20, 80),
    "treated": (40, 80),
    "untreated": (40, 80),
    "hypotensive": (20, 39),
    "severe": (40, 69),
}

#: Standard deviation between people of a condition, sex and age, by decade of age as above: chosen so that one reading
#: of each of many people, who differ in condition too and from one time to another, has the standard deviation of the
#: rows behind ``SURVEY_MEANS``: from 11/10 mmHg in the twenties to 21/12 from the seventies on.
_BETWEEN_PEOPLE = [Pressure(*pair) for pair in ((5, 8), (8, 9), (7, 8), (11.5, 8), (11.5, 8), (17, 9))]

#: How much higher a person's pressure is where a doctor measures it: about 11/6 mmHg above the day's mean in 28
#: outpatients with hypertension (Parati G et al., Hypertension 1998;31:1185-1189). How much people differ is ours: at
#: its height it is 4 mmHg in one person and 75 in another (Mancia G et al., Lancet 1983;2:695-698). That most people
#: without hypertension have hardly any, and nobody's is negative, is ours too.
_WHITE_COAT = Pressure(11, 6)
_WHITE_COAT_DEVIATION = Pressure(8, 4.5)
_NO_WHITE_COAT_DEVIATION = Pressure(4, 2)

#: By which share pressure falls in sleep, mean and standard deviation: 0.13 and 0.05 systolic, 0.18 and 0.06 diastolic
#: in 115 adults (Hinderliter AL et al., Journal of the American Society of Hypertension 2013;7:432-439). Between 0.1
#: and 0.2 is called normal; some fall less, and hardly anyone rises.
_DIP = Pressure(0.13, 0.18)
_DIP_DEVIATION = Pressure(0.05, 0.06)

#: A person's own slow wave, in mmHg and days: ours. Nobody's is higher than the limit.
_WAVE_DEVIATION = 3.0
WAVE_LIMIT = 6.0
_WAVE_DAYS = (60.0, 240.0)


@dataclass(frozen=True)
class Person:
    """Hold a simulated person: who it is, and what is particular about the person's blood pressure, in mmHg."""

    number: int
    identity: str
    family: str
    given: str
    gender: str
    birth_date: date
    condition: Condition
    #: How far it lies from others of the same condition, sex and age.
    offset: Pressure
    white_coat: Pressure
    #: By which share it falls in sleep.
    dip: Pressure
    #: The slow wave's height in systolic pressure, its length in days, and where it begins, as a share of it.
    wave: float
    wave_days: float
    wave_start: float
    #: The Patient resource.
    resource: dict[str, Any] = field(compare=False, repr=False)

    def baseline(self, year: int) -> Pressure:
        """Return what a survey would find on average: in a doctor's examination, by day, all year round."""
        age = year - self.birth_date.year
        mean = SURVEY_MEANS[self.gender][_decade(age)]
        return mean.plus(OFFSETS[self.condition]).plus(_mean_offset(age), -1).plus(self.offset)


def people(seed: int | str, count: int, conditions: Sequence[Condition] | None) -> list[Person]:
    """Return so many people, with these conditions in turn, or with as much hypertension as a survey finds.

    Raises ``ValueError`` where that is nobody.
    """
    if count < 1:
        raise ValueError(f"{count} patients have no readings: ask for at least 1.")
    # Loading Faker takes longer than the rest of a command, and only a simulation needs it.
    from faker import Faker

    names = Faker()
    names.seed_instance(seed)
    return [_person(seed, number, conditions, names) for number in range(count)]


def identity(random: Random) -> str:
    """Return an id that nobody else has."""
    return str(UUID(int=random.getrandbits(128), version=4))


def _decade(age: int) -> int:
    """Return the place of an age in the survey's decades."""
    return min(max(age // 10, 2), 7) - 2


@functools.cache
def _mean_offset(age: int) -> Pressure:
    """Return how far people of an age lie from all adults because of how many of them have hypertension."""
    hypertensive = OFFSETS["untreated"].towards(OFFSETS["treated"], _MEDICATED)
    return OFFSETS["normal"].towards(hypertensive, _prevalence(age))


def _prevalence(age: int) -> float:
    return next(share for below, share in _PREVALENCE if age < below)


def _person(seed: int | str, number: int, conditions: Sequence[Condition] | None, names: Any) -> Person:
    random = Random(f"patient {seed} {number}")
    gender = random.choice(["female", "male"])
    youngest, oldest = (20, 80) if conditions is None else _AGES[conditions[number % len(conditions)]]
    first_born = date(YEAR - oldest, 1, 1)
    days = (date(YEAR - youngest, 12, 31) - first_born).days
    birth_date = first_born + timedelta(days=random.randint(0, days))
    identifier = identity(random)
    if conditions is not None:
        condition = conditions[number % len(conditions)]
    elif random.random() >= _prevalence(YEAR - birth_date.year):
        condition = "normal"
    else:
        condition = "treated" if random.random() < _MEDICATED else "untreated"
    family = names.last_name()
    given = names.first_name_female() if gender == "female" else names.first_name_male()
    if condition in ("normal", "hypotensive"):
        white_coat = scattered(Pressure(0, 0), _NO_WHITE_COAT_DEVIATION, random)
    else:
        white_coat = scattered(_WHITE_COAT, _WHITE_COAT_DEVIATION, random)
    dip = scattered(_DIP, _DIP_DEVIATION, random)
    return Person(
        number=number,
        identity=identifier,
        family=family,
        given=given,
        gender=gender,
        birth_date=birth_date,
        condition=condition,
        offset=scattered(Pressure(0, 0), _BETWEEN_PEOPLE[_decade(YEAR - birth_date.year)], random),
        white_coat=Pressure(max(white_coat.systolic, 0), max(white_coat.diastolic, 0)),
        dip=Pressure(max(dip.systolic, 0), max(dip.diastolic, 0)),
        wave=min(max(random.gauss(0, _WAVE_DEVIATION), -WAVE_LIMIT), WAVE_LIMIT),
        wave_days=random.uniform(*_WAVE_DAYS),
        wave_start=random.random(),
        resource=patient(
            identifier,
            family=family,
            given=[given],
            gender=gender,
            birth_date=birth_date.isoformat(),
            simulated=True,
        ),
    )
