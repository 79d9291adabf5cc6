"""Write changelogs of tables of any size, in this worker's own encoding and in plain Faust's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import orjson

from benchmarks.broker import Message
from benchmarks.contenders.job import new_state, step
from benchmarks.dataset import PARTITIONS, Dataset, patient_id
from bp_faust.clinical.state import step as step_patient
from bp_faust.engine.partitioner import partition_of
from bp_faust.models import PatientState, Reading
from bp_faust.tables import entries, patient_key, patient_states, reading_key

#: Compacted like any changelog, but not while something is measured.
TOPIC_CONFIG = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "1.0"}


def of_this_worker(patients: int, readings: int) -> Iterator[tuple[int, Message]]:
    """Yield partition, key and value of the table's entries: one for each patient, and some for their readings."""
    values = itertools.cycle(itertools.islice(Dataset(1000, patients).readings(), 1000))
    for number in range(max(patients, readings)):
        patient = patient_id(number % patients)
        value = next(values)
        identity = f"{number:032x}"
        reading = Reading(patient, identity, "final", value.systolic, value.diastolic, float(number))
        state = PatientState(anomalies={})
        stepped = step_patient(state, None, reading, lambda identity: ())
        assert stepped is not None
        partition = partition_of(patient, PARTITIONS)
        if number < readings:
            yield partition, (reading_key(patient, identity), entries.encode(stepped[0]))
        if number < patients:
            yield partition, (patient_key(patient), patient_states.encode(state))


def of_plain_faust(patients: int) -> Iterator[tuple[int, Message]]:
    """Yield partition, key and value of the table's entries, one for each patient."""
    values = itertools.cycle(itertools.islice(Dataset(1000, patients).readings(), 1000))
    for number in range(patients):
        state = new_state()
        step(state, orjson.loads(next(values).envelope))
        yield number % PARTITIONS, (orjson.dumps(patient_id(number)), orjson.dumps(state))
