"""Say what a person's pressure is at a time: by day and night, over the year, in treatment, in a crisis.

Nothing here is chance: what is expected at a time, from which single readings scatter.
"""

from __future__ import annotations

from datetime import date, datetime
from math import cos, pi

from bp_faust.simulation.people import Person
from bp_faust.simulation.pressures import Pressure
from bp_faust.simulation.scenario import Crisis, Scenario, Treatment

#: How far pressure falls from day to night in someone who rests all day as well (Morris CJ et al., American Journal of
#: Hypertension 2013, doi:10.1093/ajh/hpt026), and the hour at which it is highest (15:54 systolic and 15:11 diastolic
#: in 399 people, American Journal of Hypertension 1992;5:386-392, PMID 1524764). That it swings as a cosine, both
#: pressures at one hour, is ours.
_CLOCK_FALL = Pressure(8, 4)
_HIGHEST_HOUR = 15.5
#: The mean of that cosine from 07:30 to 23:30: a survey measures by day.
_DAY_MEAN = 0.41

#: When people fall asleep and wake up, in hours after noon: ours.
_ASLEEP = (10.5, 11.5, 17.5, 19.0)

#: By how much pressure is higher in winter than in summer, about (Kollias A et al., Journal of Hypertension
#: 2020;38:791-798). That it swings as a cosine, highest in the middle of January, is ours, and meant for the north.
_WINTER_RISE = Pressure(5, 3)
_COLDEST_DAY = 15

#: By how much a drug at standard dose lowers pressure, and by how much more for each mmHg above the mean of those
#: treated, about 154/97; drugs add up (Law MR et al., BMJ 2003;326:1427-1434). Half of it is there after 0.91 weeks
#: (Lasserson DS et al., Heart 2011;97:1771-1775).
_DRUG = Pressure(9.1, 5.5)
_DRUG_SLOPE = Pressure(0.10, 0.11)
_DRUG_MEAN = Pressure(154, 97)
_HALF_EFFECT_DAYS = 0.91 * 7

#: A crisis comes and goes within so many minutes, or a third of its time: ours.
_ONSET_MINUTES = 15


def expected(person: Person, at: datetime, scenario: Scenario, seed: int, first_day: date) -> Pressure:
    """Return a person's mean pressure in mmHg at a time, in the person's time zone; day 1 is ``first_day``."""
    days = (at.date() - first_day).days + (at.hour * 60 + at.minute) / 1440
    usual = person.baseline(at.year).plus(drift(person, at.date()))
    if scenario.setting != "office":
        usual = usual.plus(person.white_coat, -1)
    for index, treatment in enumerate(scenario.treatments):
        if treatment.who.includes(person, f"treatment {seed} {person.number} {index}"):
            usual = treated(usual, treatment, days)
    now = by_hour(person, usual, at, asleep_at_night=scenario.setting == "ward")
    for index, crisis in enumerate(scenario.crises):
        share = _course(person, at, crisis, index, seed, first_day)
        now = now.plus(Pressure(crisis.systolic, crisis.diastolic), share)
    return now


def by_hour(person: Person, usual: Pressure, at: datetime, *, asleep_at_night: bool) -> Pressure:
    """Return what a usual pressure is at the time of day: of someone awake, or asleep at night."""
    hour = at.hour + at.minute / 60
    swing = (cos((hour - _HIGHEST_HOUR) * pi / 12) - _DAY_MEAN) / 2
    awake = usual.plus(_CLOCK_FALL, swing)
    if not asleep_at_night:
        return awake
    asleep = Pressure(usual.systolic * (1 - person.dip.systolic), usual.diastolic * (1 - person.dip.diastolic))
    begin, deep, light, end = _ASLEEP
    after_noon = (hour - 12) % 24
    share = min((after_noon - begin) / (deep - begin), (end - after_noon) / (end - light), 1.0)
    return awake.towards(asleep, max(share, 0.0))


def drift(person: Person, day: date) -> Pressure:
    """Return how far a person's pressure lies from its mean over the years: the season, and a slow wave of its own."""
    season = cos((day.timetuple().tm_yday - _COLDEST_DAY) * 2 * pi / 365.25) / 2
    wave = person.wave * cos((day.toordinal() / person.wave_days + person.wave_start) * 2 * pi)
    return Pressure(season * _WINTER_RISE.systolic + wave, season * _WINTER_RISE.diastolic + wave / 2)


def treated(usual: Pressure, treatment: Treatment, days: float) -> Pressure:
    """Return what a treatment makes of a pressure so many days after the first day began."""
    since = days - (treatment.from_day - 1)
    if since <= 0:
        return usual
    share = 1 - 0.5 ** (since / _HALF_EFFECT_DAYS)
    for _ in range(treatment.drugs):
        fall = Pressure(
            *(
                max(drug + slope * (value - mean), 0.0)
                for drug, slope, value, mean in zip(_DRUG, _DRUG_SLOPE, usual, _DRUG_MEAN, strict=True)
            )
        )
        usual = usual.plus(fall, -share)
    return usual


def happens(person: Person, crisis: Crisis, index: int, day: date, seed: int, first_day: date) -> bool:
    """Return whether a scenario's crisis, by its place in the scenario, comes to a person on a day."""
    number = (day - first_day).days + 1
    return (crisis.days is None or number in crisis.days) and crisis.who.includes(
        person, f"crisis {seed} {person.number} {index} {day}"
    )


def _course(person: Person, at: datetime, crisis: Crisis, index: int, seed: int, first_day: date) -> float:
    """Return how far a crisis has come: 0 where there is none, 1 at its height."""
    minute = at.hour * 60 + at.minute + at.second / 60
    since = (minute - crisis.at.minutes) % 1440
    left = crisis.lasts_minutes - since
    if left <= 0:
        return 0.0
    # What began yesterday may go on after midnight.
    day = at.date() if minute >= crisis.at.minutes else date.fromordinal(at.date().toordinal() - 1)
    if not happens(person, crisis, index, day, seed, first_day):
        return 0.0
    onset = min(_ONSET_MINUTES, crisis.lasts_minutes / 3)
    return min(since / onset, left / onset, 1.0)
