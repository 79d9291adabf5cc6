"""A key says whose it is, whatever characters an id has."""

from hypothesis import given
from hypothesis import strategies as st

from bp_faust import tables

ids = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)


@given(ids, ids)
def test_keys_can_be_read_back(patient: str, observation: str) -> None:
    assert tables.patient_of(tables.patient_key(patient)) == patient
    prefix = tables.reading_prefix(patient)
    key = tables.reading_key(patient, observation)
    assert key.startswith(prefix)
    assert tables.observation_of(key, prefix) == observation


@given(ids, ids, ids)
def test_a_patients_readings_are_nobody_elses(patient: str, other: str, observation: str) -> None:
    belongs = tables.reading_key(other, observation).startswith(tables.reading_prefix(patient))
    assert belongs == (patient == other)
