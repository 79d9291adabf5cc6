"""Make patients and blood-pressure readings that look real, from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import cos, pi
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from bp_faust.fhir.resources import envelope, observation, patient


class Pressure(NamedTuple):
    """Hold a pressure, or a difference or spread of pressures, in mmHg."""

    systolic: float
    diastolic: float


@dataclass(frozen=True)
class Group:
    """Describe patients alike: how far they lie from others of their age and sex, and how old they are in ``YEAR``."""

    offset: Pressure
    ages: tuple[int, int]


#: Mean pressure by sex, and by decade of age from the twenties to the seventies and above, rounded to whole mmHg.
#: Source: NHANES 2009-2012, as resampled to the people of the United States in the R package NHANES 2.1.1
#: (https://github.com/ProjectMOSAIC/NHANES): our means of BPSysAve and BPDiaAve over its 6,913 rows of adults from 20
#: on with a diastolic pressure of 30 or more.
SURVEY_MEANS = {
    "female": [Pressure(*pair) for pair in ((108, 66), (111, 70), (115, 71), (122, 72), (127, 71), (136, 64))],
    "male": [Pressure(*pair) for pair in ((118, 68), (119, 74), (121, 75), (126, 76), (127, 71), (133, 65))],
}

#: The year in which patients are of their group's age; they grow older from there.
YEAR = 2026

#: Hypertension is rare before forty (7.5 % at 18 to 39, 33.2 % at 40 to 59, 63.1 % from 60; NCHS Data Brief 289, 2017).
#: How far treated and untreated hypertension lie from everyone is their mean in National Health Statistics Reports 35,
#: 2011 (130/75 and 146/85 mmHg), less the mean of all adults there (122/71). The last two groups are ours: readings
#: mostly below 90/60, and mostly above 180/120, where the ACC/AHA guideline of 2017 speaks of a crisis.
NORMAL = Group(Pressure(0, 0), ages=(20, 80))
TREATED = Group(Pressure(8, 4), ages=(40, 80))
UNTREATED = Group(Pressure(24, 14), ages=(40, 80))
HYPOTENSIVE = Group(Pressure(-30, -16), ages=(20, 39))
CRISIS = Group(Pressure(68, 42), ages=(40, 69))

#: The groups of twenty patients, then again from the first, so that a small population has some of each. The shares are
#: ours and meant for a demonstration: more is wrong with these patients than with a survey's.
GROUPS = [
    *(NORMAL, TREATED, UNTREATED, NORMAL, TREATED, NORMAL, HYPOTENSIVE, NORMAL, TREATED, CRISIS),
    *(NORMAL, TREATED, NORMAL, UNTREATED, NORMAL, TREATED, NORMAL, UNTREATED, NORMAL, NORMAL),
]

#: Standard deviation between the patients of a group, and between the readings of a patient. The 7.7 mmHg are those
#: between visits in NHANES III (Muntner et al., Hypertension 2011, PMID 21200000); the other three numbers are ours.
BETWEEN_PATIENTS = Pressure(8, 6)
BETWEEN_READINGS = Pressure(7.7, 5)

#: Correlation of systolic with diastolic pressure: 0.3 to 0.66 within the sexes and decades of ``SURVEY_MEANS``.
CORRELATION = 0.5

#: How far pressure falls from day to night in someone who rests all day as well (Morris et al., American Journal of
#: Hypertension 2013, doi:10.1093/ajh/hpt026), and the hour at which it is highest (15:54 systolic and 15:11 diastolic
#: in 399 people, American Journal of Hypertension 1992;5:386-392, PMID 1524764). That it swings as a cosine around the
#: survey's mean, both pressures at one hour, is ours.
NIGHT_FALL = Pressure(8, 4)
HIGHEST_HOUR = 15.5


@dataclass(frozen=True)
class Person:
    """Hold a simulated patient: the fields of its Patient resource, and how far its pressure lies from its peers'."""

    identity: str
    family: str
    given: str
    gender: str
    birth_date: date
    offset: Pressure

    def expected(self, at: datetime) -> Pressure:
        """Return this patient's mean pressure at a time, in the patient's time zone."""
        decade = (at.year - self.birth_date.year) // 10
        mean = SURVEY_MEANS[self.gender][min(max(decade, 2), 7) - 2]
        swing = cos((at.hour + at.minute / 60 - HIGHEST_HOUR) * pi / 12) / 2
        return Pressure(
            mean.systolic + self.offset.systolic + swing * NIGHT_FALL.systolic,
            mean.diastolic + self.offset.diastolic + swing * NIGHT_FALL.diastolic,
        )


class Population:
    """Measure the blood pressure of simulated patients.

    The same seed gives the same patients, and asking for more leaves the first ones as they are; only their names may
    differ between versions of Faker. A reading follows from the seed, its number and its time, so that a restart
    repeats neither earlier readings nor their ids. Raises ``ValueError`` where there are no patients.
    """

    def __init__(self, seed: int, patients: int) -> None:
        if patients < 1:
            raise ValueError(f"A population of {patients} patients has no readings: ask for at least 1.")
        # Loading Faker takes longer than the rest of a command, and only a simulation needs it.
        from faker import Faker

        names = Faker()
        names.seed_instance(seed)
        self.seed = seed
        self.people = [_person(seed, number, names) for number in range(patients)]
        self._sequence = 0

    def reading(self, at: datetime) -> dict[str, Any]:
        """Return the next reading, of any of the patients, as a message of the ingest topic labelled as test data.

        ``at`` is when it was measured, in the patient's time zone, which sets the hour of the day. Pressures are whole
        mmHg within 40 to 300, diastolic below systolic. Raises ``ValueError`` where the time has no zone.
        """
        if at.utcoffset() is None:
            raise ValueError(f"{at.isoformat()} has no time zone: give one, such as datetime.timezone.utc.")
        effective = at.isoformat()
        random = Random(f"reading {self.seed} {self._sequence} {effective}")
        self._sequence += 1
        person = random.choice(self.people)
        systolic, diastolic = _measured(person.expected(at), random)
        return envelope(
            patient(
                person.identity,
                family=person.family,
                given=[person.given],
                gender=person.gender,
                birth_date=person.birth_date.isoformat(),
                simulated=True,
            ),
            observation(
                person.identity,
                systolic,
                diastolic,
                identity=_identity(random),
                effective=effective,
                simulated=True,
            ),
        )


def _person(seed: int, number: int, names: Any) -> Person:
    random = Random(f"patient {seed} {number}")
    group = GROUPS[number % len(GROUPS)]
    gender = random.choice(["female", "male"])
    youngest, oldest = group.ages
    first_born = date(YEAR - oldest, 1, 1)
    days = (date(YEAR - youngest, 12, 31) - first_born).days
    offset = _scattered(group.offset, BETWEEN_PATIENTS, random)
    return Person(
        identity=_identity(random),
        family=names.last_name(),
        given=names.first_name_female() if gender == "female" else names.first_name_male(),
        gender=gender,
        birth_date=first_born + timedelta(days=random.randint(0, days)),
        offset=offset,
    )


def _measured(expected: Pressure, random: Random) -> tuple[int, int]:
    """Return a plausible measurement around the expected pressure."""
    systolic, diastolic = _scattered(expected, BETWEEN_READINGS, random)
    top = min(max(round(systolic), 60), 290)
    return top, min(max(round(diastolic), 40), top - 15)


def _scattered(mean: Pressure, deviation: Pressure, random: Random) -> Pressure:
    """Draw from a normal distribution in which the two pressures rise and fall together."""
    first, second = random.gauss(0, 1), random.gauss(0, 1)
    together = CORRELATION * first + (1 - CORRELATION**2) ** 0.5 * second
    return Pressure(mean.systolic + deviation.systolic * first, mean.diastolic + deviation.diastolic * together)


def _identity(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128), version=4))
