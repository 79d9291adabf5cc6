"""Pseudonyms: always the same for a patient and a key, and telling nothing without the key."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bp_faust.models import AlertEvent, Anomaly
from bp_faust.pseudonyms import PREFIX, SHORTEST_KEY, patient_pseudonym, pseudonymise_alert, pseudonymise_anomaly
from bp_faust.settings.fields import Settings
from bp_faust.settings.reading import read_settings

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=SHORTEST_KEY)
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64)
KEY = "k" * SHORTEST_KEY

ANOMALY = Anomaly("p-1", "o-1", 150, 95, "Hypertension", "2026-11-24T08:00:00Z", msgspec.Raw(b'[{"rule":"seed/high"}]'))
ALERT = AlertEvent(
    "a-1", "p-1", "acknowledged", "high", "severe", "aha-2017/crisis", "Crisis", "aha-2017", "AHA",
    "2026-11-24T08:00:00Z", "2026-11-24T08:00:00Z", "o-1", False, "nurse", "called Mrs Doe", "2026-11-24T09:00:00Z",
)  # fmt: skip


@given(KEYS, IDS)
def test_a_pseudonym_is_always_the_same_and_looks_like_one(key: str, patient_id: str) -> None:
    pseudonym = patient_pseudonym(key, patient_id)
    assert pseudonym == patient_pseudonym(key, patient_id)
    assert pseudonym.startswith(PREFIX)
    assert len(pseudonym) == len(PREFIX) + 32
    assert set(pseudonym[len(PREFIX) :]) <= set("0123456789abcdef")


@given(KEYS, KEYS, IDS)
def test_another_key_gives_another_pseudonym(key: str, other: str, patient_id: str) -> None:
    # A key that is longer than a block is hashed first, and one that is shorter is filled up with zeros.
    assume(key.rstrip("\0") != other.rstrip("\0"))
    assert patient_pseudonym(key, patient_id) != patient_pseudonym(other, patient_id)


@given(KEYS, IDS, IDS)
def test_another_patient_gets_another_pseudonym(key: str, patient_id: str, other: str) -> None:
    assume(patient_id != other)
    assert patient_pseudonym(key, patient_id) != patient_pseudonym(key, other)


@given(KEYS, st.text("0123456789abcdefghijklmnopqrstuvwxyz-", min_size=12, max_size=64))
def test_no_id_stands_in_its_pseudonym(key: str, patient_id: str) -> None:
    assume(patient_id not in PREFIX)
    assert patient_id not in patient_pseudonym(key, patient_id)


def test_pseudonyms_do_not_change_between_releases() -> None:
    assert patient_pseudonym(KEY, "p-1") == "pseudonym-6423233f7e2f00f6d99f98ae55af1074"


def test_an_anomaly_keeps_all_but_the_ids() -> None:
    found = pseudonymise_anomaly(KEY, ANOMALY)
    before, after = msgspec.structs.asdict(ANOMALY), msgspec.structs.asdict(found)
    assert {name for name in before if before[name] != after[name]} == {"patient_id", "observation_id"}
    assert found.patient_id == patient_pseudonym(KEY, "p-1")
    assert msgspec.json.decode(msgspec.json.encode(found))["findings"] == [{"rule": "seed/high"}]


def test_an_alert_keeps_all_but_the_ids_and_what_somebody_wrote() -> None:
    found = pseudonymise_alert(KEY, ALERT)
    before, after = msgspec.structs.asdict(ALERT), msgspec.structs.asdict(found)
    assert {name for name in before if before[name] != after[name]} == {
        "alert_id",
        "patient_id",
        "observation_id",
        "acknowledged_because",
    }
    assert found.patient_id == pseudonymise_anomaly(KEY, ANOMALY).patient_id
    assert found.observation_id == pseudonymise_anomaly(KEY, ANOMALY).observation_id


def test_an_id_has_another_pseudonym_as_a_patients_than_as_an_observations() -> None:
    same = msgspec.structs.replace(ANOMALY, observation_id=ANOMALY.patient_id)
    found = pseudonymise_anomaly(KEY, same)
    assert found.patient_id != found.observation_id


def test_an_alert_that_no_observation_changed_names_none() -> None:
    assert pseudonymise_alert(KEY, msgspec.structs.replace(ALERT, observation_id="")).observation_id == ""


def test_a_key_that_is_too_short_is_refused_without_being_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_FAUST_PSEUDONYM_KEY", "too-short-a-key")
    with pytest.raises(SystemExit) as refused:
        read_settings()
    assert "BP_FAUST_PSEUDONYM_KEY" in str(refused.value)
    assert "too-short-a-key" not in str(refused.value)


def test_there_are_no_pseudonyms_unless_there_is_a_key() -> None:
    assert Settings().secret("pseudonym_key") is None
