"""Let time pass for simulated people: measure them as the present goes on, or give the history of some days."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from random import Random
from typing import Any

from bp_faust.simulation.measuring import Version, measured
from bp_faust.simulation.people import Person, people
from bp_faust.simulation.rhythm import expected, happens
from bp_faust.simulation.scenario import Scenario

#: How often another person is drawn, where one is not measured that day.
_DRAWS = 8


class Simulation:
    """Measure simulated people.

    A person's reading follows from the seed, the scenario, the person's number and the time alone, id included, so that
    neither a restart nor the number of people changes it. Day 1 is the scenario's first day, else ``first_day``. Raises
    ``ValueError`` where there is nobody.
    """

    def __init__(self, scenario: Scenario, seed: int, patients: int, first_day: date) -> None:
        self.scenario = scenario
        self.seed = seed
        # Someone of another scenario is someone else: what is the matter with a person, the scenario says.
        self.people = people(f"{scenario.id} {seed}", patients, scenario.conditions())
        self.first_day = scenario.first_day or first_day
        #: When a reading is to be put right, in seconds since 1970, whose it is, and when it was made; a heap.
        self._to_put_right: list[tuple[float, int, datetime]] = []

    def message(self, at: datetime) -> dict[str, Any]:
        """Return a message of the ingest topic at a time: what puts an earlier reading right, else one of anybody.

        ``at`` is in the patients' time zone, which sets the hour of the day; all times that it is asked for must
        differ. It is someone who is measured on that day at all, as far as some draws find one. Raises ``ValueError``
        where the time has no zone.
        """
        _check_zone(at)
        if self._to_put_right and self._to_put_right[0][0] <= at.timestamp():
            _, number, made = heapq.heappop(self._to_put_right)
            return self._versions(self.people[number], made)[1].message
        random = Random(f"turn {self.seed} {at.isoformat()}")
        for _ in range(_DRAWS):
            person = random.choice(self.people)
            if not self._misses(person, at.date()):
                break
        first, *more = self._versions(person, at)
        for later in more:
            heapq.heappush(self._to_put_right, (later.at.timestamp(), person.number, at))
        return first.message

    def history(self, start: datetime, end: datetime) -> Iterator[Version]:
        """Yield what was measured and put right from a time on and before another one, in order.

        Everyone is measured when the scenario says so. Times are in the time zone of ``start``. Raises ``ValueError``
        where that has none.
        """
        _check_zone(start)
        streams = (self._history_of(person, start, end) for person in self.people)
        return heapq.merge(*streams, key=lambda version: version.at.timestamp())

    def _history_of(self, person: Person, start: datetime, end: datetime) -> Iterator[Version]:
        last = end.timestamp()
        waiting: list[tuple[float, int, Version]] = []
        #: Times that may come again, because of another day.
        known: set[float] = set()
        made = 0
        # Some of a day's readings are made on the day before or after it.
        day = start.date() - timedelta(days=2)
        while day <= end.date() + timedelta(days=1):
            for at in self._occasions(person, day, start):
                time = at.timestamp()
                if start.timestamp() <= time < last and time not in known:
                    known.add(time)
                    for version in self._versions(person, at):
                        heapq.heappush(waiting, (version.at.timestamp(), made, version))
                        made += 1
            day += timedelta(days=1)
            # The next day's first readings may be made six hours before it.
            midnight = datetime(day.year, day.month, day.day, tzinfo=start.tzinfo)
            settled = (midnight - timedelta(hours=6)).timestamp()
            known = {time for time in known if time >= settled}
            while waiting and waiting[0][0] < min(settled, last):
                yield heapq.heappop(waiting)[2]
        while waiting and waiting[0][0] < last:
            yield heapq.heappop(waiting)[2]

    def _occasions(self, person: Person, day: date, start: datetime) -> list[datetime]:
        """Return when a person is measured because of a day, each time once."""
        seconds: set[int] = set()
        if self._is_due(person, day) and not self._misses(person, day):
            random = Random(f"occasions {self.seed} {person.number} {day}")
            within = self.scenario.measure.within_minutes * 60
            seconds.update(time.minutes * 60 + random.randint(-within, within) for time in self.scenario.measure.at)
        for index, crisis in enumerate(self.scenario.crises):
            step = crisis.measure_every_minutes
            if step and happens(person, crisis, index, day, self.seed, self.first_day):
                begin = crisis.at.minutes * 60
                seconds.update(range(begin, begin + crisis.lasts_minutes * 60, step * 60))
        return [_at(day, second, start) for second in sorted(seconds)]

    def _is_due(self, person: Person, day: date) -> bool:
        every = self.scenario.measure.every_days
        return (
            every == 1 or (day.toordinal() + Random(f"days {self.seed} {person.number}").randrange(every)) % every == 0
        )

    def _misses(self, person: Person, day: date) -> bool:
        share = self.scenario.measure.missed_days
        return share > 0 and _chance_of_day(f"missed {self.seed} {person.number} {day}") < share

    def _versions(self, person: Person, at: datetime) -> list[Version]:
        pressure = expected(person, at, self.scenario, self.seed, self.first_day)
        return measured(person, at, pressure, self.scenario.errors, self.seed)


@lru_cache(maxsize=2**12)
def _chance_of_day(about: str) -> float:
    """Return a number from 0 to 1; of the present it is asked for the same day again and again."""
    return Random(about).random()


def _at(day: date, second: int, start: datetime) -> datetime:
    """Return a time of a day in the time zone of ``start``, without the hours that a change of clocks leaves out."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=start.tzinfo)
    return (midnight + timedelta(seconds=second)).astimezone(timezone.utc).astimezone(start.tzinfo)


def _check_zone(at: datetime) -> None:
    if at.utcoffset() is None:
        raise ValueError(f"{at.isoformat()} has no time zone: give one, such as datetime.timezone.utc.")
