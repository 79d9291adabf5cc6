"""Write changelogs of tables of any size, in this worker's own encoding and in plain Faust's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timezone

import orjson

from benchmarks.broker import Message
from benchmarks.contenders.job import new_state, step
from benchmarks.dataset import PARTITIONS, Dataset, patient_id
from bp_faust.clinical.judges import Judges
from bp_faust.clinical.policies import POLICIES
from bp_faust.clinical.state import step as step_patient
from bp_faust.engine.partitioner import partition_of
from bp_faust.models import PatientState, Reading
from bp_faust.tables import entries, patient_key, patient_states, reading_key

#: Compacted like any changelog, but not while something is measured.
TOPIC_CONFIG = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "1.0"}

#: Within the retention of what is processed later, in seconds since 1970.
_FIRST_READING = datetime(2025, 12, 1, tzinfo=timezone.utc).timestamp()


def of_this_worker(patients: int, readings: int) -> Iterator[tuple[int, Message]]:
    """Yield partition, key and value of the table's entries: one for each patient, and one for each reading of it."""
    values = itertools.cycle(itertools.islice(Dataset(1000, patients).readings(), 1000))
    judge = Judges(POLICIES, "seed").rules(None, None).of
    for patient_number in range(patients):
        patient, state = patient_id(patient_number), PatientState()
        partition = partition_of(patient, PARTITIONS)
        for number in range(patient_number, readings, patients):
            value, identity = next(values), f"{number:032x}"
            time = _FIRST_READING + number
            reading = Reading(patient, identity, "final", value.systolic, value.diastolic, time)
            stepped = step_patient(state, None, reading, judge, lambda _: ())
            assert stepped is not None
            yield partition, (reading_key(patient, identity), entries.encode(stepped[0]))
        yield partition, (patient_key(patient), patient_states.encode(state))


def of_plain_faust(patients: int) -> Iterator[tuple[int, Message]]:
    """Yield partition, key and value of the table's entries, one for each patient."""
    values = itertools.cycle(itertools.islice(Dataset(1000, patients).readings(), 1000))
    for number in range(patients):
        state = new_state()
        step(state, orjson.loads(next(values).envelope))
        yield number % PARTITIONS, (orjson.dumps(patient_id(number)), orjson.dumps(state))
