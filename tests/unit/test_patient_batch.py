"""What one batch makes of its patients, in a table on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bp_faust.clinical.judges import Judges
from bp_faust.clinical.policies import POLICIES
from bp_faust.engine.batches import Effects
from bp_faust.models import PatientSettings
from bp_faust.patient_batch import PatientBatch
from bp_faust.signals import Clock, SetCohort, SetPatient, Signal
from bp_faust.tables import expected_key, patients

DAY = 86_400.0


@pytest.fixture(autouse=True)
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(patients.store, "_path", lambda partition: tmp_path / str(partition))
    patients.store._open(0)
    yield
    patients.store._close(0)


def work_on(*signals: Signal) -> Effects:
    batch = PatientBatch(0, Judges(POLICIES, "aha-2017"), 400 * DAY)
    batch.set(signals)
    batch.take({})
    batch.hear(signals)
    effects = Effects()
    batch.add_to(effects)
    patients.store.write(0, effects.changes, 1)
    return effects


IN_COHORT = SetPatient("p", PatientSettings(cohort="ward"), 0.0)
COHORT = SetCohort("ward", PatientSettings(measure_every_days=1), 0.0)


@pytest.mark.parametrize("batches", [[[IN_COHORT, COHORT]], [[COHORT, IN_COHORT]], [[IN_COHORT], [COHORT]]])
def test_a_cohorts_settings_hold_for_who_joined_it_in_the_same_batch(batches: list[list[Signal]]) -> None:
    for signals in batches:
        changes = work_on(*signals).changes
    assert changes[expected_key("p")] is not None
    assert work_on(Clock(2 * DAY)).records


def test_a_cohorts_settings_hold_no_more_for_who_left_it_in_the_same_batch() -> None:
    work_on(IN_COHORT)
    assert work_on(SetPatient("p", None, 1.0), COHORT).changes[expected_key("p")] is None
    assert not work_on(Clock(2 * DAY)).records
