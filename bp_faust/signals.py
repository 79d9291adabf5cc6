"""Encode what else is to be told to a patient's state: what was set, who knows of an alert, what time it is.

Signals travel on the topic of the patients' readings, so that one agent alone changes what is remembered.
"""

from __future__ import annotations

from msgspec import Struct

from bp_faust.encoding import Versioned
from bp_faust.models import Acknowledgement, PatientSettings

#: The key of a record that holds a signal; one that holds readings has none.
SIGNAL_KEY = b"signal"


class SetPatient(Struct, frozen=True, tag=True):
    """Set a patient's settings; None removes them."""

    patient_id: str
    settings: PatientSettings | None
    #: When it was set, in seconds since 1970.
    time: float


class SetCohort(Struct, frozen=True, tag=True):
    """Set a cohort's settings; None removes them."""

    cohort: str
    settings: PatientSettings | None
    #: When it was set, in seconds since 1970.
    time: float


class Acknowledge(Struct, frozen=True, tag=True):
    """Note that somebody knows of an alert."""

    acknowledgement: Acknowledgement


class Clock(Struct, frozen=True, tag=True):
    """Tell the time, in seconds since 1970, to find the patients whose readings are missing."""

    time: float


class Settle(Struct, frozen=True, tag=True):
    """Go on settling the alerts of patients some of whose readings came very late."""


Signal = SetPatient | SetCohort | Acknowledge | Clock | Settle

signals: Versioned[Signal] = Versioned(Signal)
