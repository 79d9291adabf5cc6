"""Say what happens to simulated people: data that a file holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from random import Random
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bp_faust.simulation.people import Condition, Person
from bp_faust.yaml_files import Place, read_yaml

#: Where people are measured: by a doctor, by themselves while they are awake, or by day and night in a bed.
Setting = Literal["office", "home", "ward"]

Share = Annotated[float, Meta(ge=0, le=1)]
_Count = Annotated[int, Meta(ge=1)]
#: A rise or fall in mmHg.
_Change = Annotated[float, Meta(ge=-100, le=150)]

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")


class ScenarioError(ValueError):
    """Say what is wrong with a scenario file, and on which line."""


class TimeOfDay:
    """Hold a time of day in minutes since midnight; written as ``15:00``."""

    def __init__(self, minutes: int) -> None:
        self.minutes = minutes


class Who(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold whom something happens to: all of what is given must hold, and nothing given is everyone."""

    condition: Condition | None = None
    #: Numbers of patients, from 1 on.
    patients: tuple[_Count, ...] | None = None
    #: Which share of these, by chance.
    share: Share = 1.0

    def includes(self, person: Person, chance: str) -> bool:
        """Return whether a person is among them; the same text gives the same chance."""
        return (
            (self.condition is None or self.condition == person.condition)
            and (self.patients is None or person.number + 1 in self.patients)
            and (self.share >= 1 or Random(chance).random() < self.share)
        )


EVERYONE = Who()


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold how many people of a condition there are, in proportion to the other groups."""

    condition: Condition
    count: Annotated[int, Meta(ge=1, le=1000)]


class Measuring(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold when people are measured, in the history that a scenario gives."""

    at: tuple[TimeOfDay, ...] = (TimeOfDay(7 * 60 + 30), TimeOfDay(20 * 60))
    #: How much sooner or later that may be.
    within_minutes: Annotated[int, Meta(ge=0, le=360)] = 20
    #: Every day, or every so many days: each person on days of their own.
    every_days: _Count = 1
    #: On which share of these days someone is not measured at all.
    missed_days: Annotated[float, Meta(ge=0, le=0.9)] = 0.0


class Errors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold which share of readings goes wrong, and how."""

    #: The cuff gives no diastolic pressure; half of these are completed later.
    one_missing: Share = 0.0
    #: The cuff gives no pressure at all.
    both_missing: Share = 0.0
    #: The device tells kilopascals, which the profile of blood pressure does not allow.
    kilopascals: Share = 0.0
    #: Someone enters a wrong value, and corrects it later.
    mistyped: Share = 0.0
    #: It is someone else's pressure, and withdrawn later.
    wrong_patient: Share = 0.0


class Crisis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold that pressure rises, or falls, for some minutes of a day."""

    at: TimeOfDay
    lasts_minutes: Annotated[int, Meta(ge=1, le=24 * 60)]
    systolic: _Change
    diastolic: _Change
    who: Who = EVERYONE
    #: Numbers of the days on which it happens, from 1 on; every day where nothing is said.
    days: tuple[_Count, ...] | None = None
    #: How often those concerned are measured as long as it lasts, in a history; no more often where nothing is said.
    measure_every_minutes: _Count | None = None


class Treatment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold that people take drugs from a day on."""

    from_day: Annotated[int, Meta(ge=1)]
    #: How many, at standard dose.
    drugs: Annotated[int, Meta(ge=1, le=4)] = 1
    who: Who = EVERYONE


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold a scenario, as its file says it."""

    id: str
    title: str
    setting: Setting = "office"
    #: As a survey finds them where nothing is said.
    people: tuple[Group, ...] | None = None
    #: Day 1; where nothing is said, the day on which the simulation begins.
    first_day: date | None = None
    measure: Measuring = Measuring()
    errors: Errors = Errors()
    crises: tuple[Crisis, ...] = ()
    treatments: tuple[Treatment, ...] = ()

    def conditions(self) -> list[Condition] | None:
        """Return the conditions of people in turn: each group spread over the whole, so that a few show most of it."""
        if self.people is None:
            return None
        places = [
            ((number + 0.5) / group.count, index)
            for index, group in enumerate(self.people)
            for number in range(group.count)
        ]
        return [self.people[index].condition for _, index in sorted(places)]


def read_scenario(text: str, name: str) -> Scenario:
    """Return the scenario of a YAML file's text; raise ScenarioError with the file's name and the line."""
    return read_yaml(text, name, Scenario, decode=_decode, contradictions=_contradictions, error=ScenarioError)


def _decode(wanted: type, found: object) -> object:
    """Make a time of day; YAML 1.1 reads 15:00 without quotation marks as the number 900."""
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 24 * 60:
        return TimeOfDay(found)
    match = _TIME.fullmatch(found) if isinstance(found, str) else None
    if match is None:
        raise ValueError(f"{found!r} is no time of day; write one like `15:00`")
    return TimeOfDay(int(match[1]) * 60 + int(match[2]))


def _contradictions(scenario: Scenario) -> Iterable[tuple[Place, str]]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", scenario.id):
        yield ["id"], f"The id {scenario.id!r} is not made of small letters, digits, dots and hyphens"
    if scenario.people == ():
        yield ["people"], "There is nobody; leave `people` out for those of a survey"
    if not scenario.measure.at:
        yield ["measure", "at"], "There is no time at which anyone is measured"
    if sum(msgspec.structs.astuple(scenario.errors)) > 1:
        yield ["errors"], "The shares of readings that go wrong come to more than 1"
